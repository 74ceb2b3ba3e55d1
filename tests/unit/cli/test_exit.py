"""How a command ends, whatever ends it."""

import errno
import logging
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_trainer.cli import exit as ending
from mnist_trainer.cli.exit import exit_codes, warnings_named
from mnist_trainer.errors import AlreadyReportedError

LEAVING_SLOWLY = """
import atexit, signal, time
from mnist_trainer.cli.exit import exit_codes, warnings_named
from mnist_trainer.errors import InterruptedRunError
from mnist_trainer.launch.sweep.command import StoppedSweepError

def slowly():
    print("leaving", flush=True)
    time.sleep(30)

with exit_codes("mnist-train"):
    atexit.register(slowly)  # As a library does that is imported on the way.
    %s
"""


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ('raise InterruptedRunError("stopped", signal.SIGINT)', "mnist-train: stopped\n"),
        ('raise StoppedSweepError("stopped", 130)', "mnist-train: stopped\n"),
        ("pass", ""),
    ],
)
def test_ctrl_c_while_python_exits_ends_at_once_and_without_a_traceback(
    last: str, said: str
) -> None:
    command = [sys.executable, "-c", LEAVING_SLOWLY % last]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "leaving\n"
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert time.monotonic() - asked < 1
        assert run.stderr.read() == said


def test_a_silent_process_waits_for_the_reporting_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(ending, "wait_for_termination", waited.append)
    with pytest.raises(SystemExit) as ended, exit_codes("mnist-train"):
        raise AlreadyReportedError(6)
    assert ended.value.code == 6
    assert waited == [ending.SECONDS_TO_SPEAK]


@pytest.mark.parametrize(
    ("command", "error", "said"),
    [
        (
            "mnist-predict",
            OSError(errno.ENOSPC, "No space left on device"),
            "what it prints cannot be written: No space left on device.",
        ),
        (
            "mnist-eval",
            PermissionError(errno.EACCES, "Permission denied", "secret"),
            "secret: Permission denied.",
        ),
        (
            "mnist-train",
            PermissionError(errno.EACCES, "Permission denied", "data"),
            (
                "data: Permission denied. Choose another place with hydra.run.dir=PATH or"
                " data.root=PATH."
            ),
        ),
    ],
)
def test_advice_names_options_of_the_command_only(
    capfd: pytest.CaptureFixture[str],
    command: str,
    error: OSError,
    said: str,
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes(command):
        raise error
    assert ended.value.code == 6
    assert capfd.readouterr().err == f"{command}: {said}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_output_is_an_error() -> None:
    program = (
        "from mnist_trainer.cli.exit import exit_codes\nwith exit_codes('mnist-eval'):"
        " print('numbers')"
    )
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (ended.returncode, ended.stderr.count("\n")) == (6, 1)


def test_warnings_begin_with_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings_named("mnist-export"):
        logging.getLogger("mnist_trainer.inference.loading").warning("%s: a note.", "runs/one")
    assert capsys.readouterr().err == "mnist-export: runs/one: a note.\n"


def test_an_unexpected_error_is_a_bug_with_its_traceback_in_a_file(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes("mnist-eval"):
        raise AttributeError("no such thing")
    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3
    path = Path(said.rpartition(" in ")[2].strip())
    assert "AttributeError: no such thing" in path.read_text(encoding="utf-8")
    path.unlink()
