"""Requests to stop a run."""

import pickle
import signal

import pytest

from mnist_trainer.errors import ExitCode, InterruptedRunError
from mnist_trainer.system.signals import Interruption


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
