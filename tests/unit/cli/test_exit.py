"""How a command ends, whatever ends it."""

import signal
import subprocess
import sys
import time

import pytest

from mnist_trainer.cli import exit as ending
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.errors import AlreadySaidError

LEAVING_SLOWLY = """
import atexit, signal, time
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.interruption import InterruptedRunError
from mnist_trainer.sweep.command import StoppedSweepError

@atexit.register
def slowly():
    print("leaving", flush=True)
    time.sleep(30)

with exit_codes("mnist-train"):
    raise %s
"""


@pytest.mark.parametrize("error", ['InterruptedRunError("stopped", signal.SIGINT)', 'StoppedSweepError("stopped", 130)'])
def test_who_asks_again_while_an_interrupted_run_is_leaving_gets_the_same_exit_code_at_once(error: str) -> None:
    command = [sys.executable, "-c", LEAVING_SLOWLY % error]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "leaving\n"
        asked = time.monotonic()
        run.send_signal(signal.SIGINT)
        assert run.wait(20) == 130
        assert time.monotonic() - asked < 1
        assert run.stderr.read() == "mnist-train: stopped\n"


def test_a_process_with_nothing_to_say_waits_for_the_one_that_has(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(ending, "wait_to_be_ended", waited.append)
    with pytest.raises(SystemExit) as ended, exit_codes("mnist-train"):
        raise AlreadySaidError(6)
    assert ended.value.code == 6
    assert waited == [ending.SECONDS_TO_SPEAK]
