"""Requests to stop a run."""

import contextlib
import importlib
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_trainer.errors import ExitCode, InterruptedRunError
from mnist_trainer.system.signals import (
    Interruption,
    StopSignal,
    blocked_in_children,
    stop_signals_raise,
)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_an_interrupted_run_error_can_be_pickled(number: int, code: ExitCode) -> None:
    sent = pickle.loads(pickle.dumps(InterruptedRunError("stopped at step 3", number)))
    assert (str(sent), sent.exit_code) == ("stopped at step 3", code)


def test_a_signal_to_one_process_counts_once_flags_are_summed() -> None:
    with Interruption(shared=True) as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.requested is None
        assert interruption.stop_flags() == (0.0, 1.0)
        interruption.apply([0.0, 0.0])
        assert interruption.requested is None
        interruption.apply([1.0, 1.0])
        assert interruption.requested == signal.SIGTERM


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    with Interruption(shared=True):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_outside_the_loop_a_signal_raises_and_handlers_are_restored(number: int) -> None:
    former = signal.getsignal(number)
    with pytest.raises(StopSignal) as stopped, stop_signals_raise():
        signal.raise_signal(number)
    assert stopped.value.number == number
    assert signal.getsignal(number) is former


def test_during_an_import_a_signal_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At an exception of Python below it, C++ code of a module that is being imported aborts."""
    (tmp_path / "slow_to_import.py").write_text(
        "import signal, sys, time\nsignal.raise_signal(signal.SIGTERM)\ntime.sleep(0.2)\n"
        "sys.modules['slow_to_import'].whole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def imported() -> None:
        with stop_signals_raise():
            importlib.import_module("slow_to_import")
            time.sleep(5)

    with pytest.raises(StopSignal):
        imported()
    assert sys.modules["slow_to_import"].whole


def test_children_do_not_get_the_ctrl_c_of_a_terminal() -> None:
    with blocked_in_children():
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    child.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM


def test_a_swallowed_signal_stops_the_loop_at_its_first_step_and_the_command_at_its_end() -> None:
    def swallowed() -> None:
        with stop_signals_raise():
            with contextlib.suppress(BaseException):
                signal.raise_signal(signal.SIGTERM)
            with Interruption() as interruption:
                assert interruption.requested == signal.SIGTERM

    with pytest.raises(StopSignal):
        swallowed()
    with Interruption() as interruption:
        assert interruption.requested is None
