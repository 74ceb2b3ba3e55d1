"""Being asked to stop."""

import pickle
import signal

import pytest

from mnist_trainer.errors import ExitCode
from mnist_trainer.system.signals import InterruptedRunError, SharedInterruption


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)],
)
def test_a_job_in_another_process_can_send_home_that_it_was_stopped(
    number: int, code: ExitCode
) -> None:
    sent = pickle.loads(pickle.dumps(InterruptedRunError("stopped at step 3", number)))
    assert (str(sent), sent.exit_code) == ("stopped at step 3", code)


def test_what_one_process_hears_counts_once_all_have_heard_it() -> None:
    with SharedInterruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert interruption.requested is None
        assert interruption.votes() == (0.0, 1.0)
        interruption.decide([0.0, 0.0])
        assert interruption.requested is None
        interruption.decide([1.0, 1.0])
        assert interruption.requested == signal.SIGTERM


def test_a_second_ctrl_c_waits_for_nobody() -> None:
    with SharedInterruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
