"""The processes of a distributed run as one of them sees them; a single process is a world of one.

No torch here: a mistake on the command line is answered before torch is imported, and a run of one
process never imports ``torch.distributed``. ``process_group`` has the world of several processes.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mnist_trainer.compute.ranks import SINGLE_PROCESS, RankInfo, shard_of
from mnist_trainer.errors import UserError
from mnist_trainer.system.signals import Interruption

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mnist_trainer.runs.metrics import Metrics


REPORT_SECONDS = 10.0
"""How long the local main process may take to report the same error, having started later."""


@contextmanager
def report_on_local_main(rank_info: RankInfo) -> Iterator[None]:
    """Let one process of each machine report an error that all find before they are connected.

    The others wait for torchrun to end them. If the local main process found nothing wrong, they
    report the error themselves after ``REPORT_SECONDS``.
    """
    try:
        yield
    except UserError:
        if rank_info.local_rank != 0:
            wait_for_termination(REPORT_SECONDS)
        raise


def wait_for_termination(seconds: float) -> None:
    """Sleep, so that another process can report its error first; signals end this one at once.

    Torchrun ends all processes as soon as one of them fails: one that fails first, and in silence,
    would keep the others from reporting.
    """
    end_at_signals()
    time.sleep(seconds)


def end_at_signals() -> None:
    """Let SIGINT and SIGTERM end this process at once: torchrun ends processes that way, also those
    that wait for others in a call that runs no handler of Python."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class World:
    """A world of one process: every collective is a no-op."""

    rank_info = SINGLE_PROCESS
    command = "mnist-train"
    """The command that starts such a run, for messages."""

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.rank_info.size

    @property
    def is_main_process(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank_info.rank == 0

    def broadcast_from_main(self, make: Callable[[], str]) -> str:
        """Call a function in the main process, and return its result in all.

        Raises:
            UserError: the function raised it; the other processes raise ``AlreadyReportedError``.
        """
        return make()

    def shard(self, count: int) -> slice:
        """The part of ``count`` items that this process works on."""
        return shard_of(count, self.rank_info)

    def reduce_metrics(self, metrics: "Metrics") -> "Metrics":
        """Metrics over the images of all processes."""
        return metrics

    def broadcast_model(self, model: "nn.Module") -> None:
        """Copy weights and buffers of the main process to all others."""

    def all_reduce_sum(self, buffer: "Tensor") -> None:
        """Sum a buffer on the device over all processes, in place."""

    def interruption(self) -> Interruption:
        """The context that handles SIGINT and SIGTERM."""
        return Interruption()

    def stop_flags(self) -> tuple[float, float]:
        """Whether this process received SIGINT and SIGTERM, as numbers to be summed."""
        return 0.0, 0.0

    def apply_stop_flags(self, flags: "Tensor") -> None:
        """Request a stop if the flags summed over all processes say so; synchronizes the device."""

    def barrier(self) -> None:
        """Wait until all processes have called this."""

    def deduplicate_error(self, error: UserError) -> UserError:
        """The error, or ``AlreadyReportedError`` where another process reports the same."""
        return error

    def clear_on_main(self, clear: Callable[[], None]) -> None:
        """Clear away in the main process what a failure leaves. The others wait for it, if not for
        long, as torchrun ends all processes once one of them has ended."""
        clear()

    def shutdown(self) -> None:
        """Leave the process group."""

    def describe(self) -> dict[str, object]:
        """The world as ``environment.json`` records it."""
        return {"processes": 1}


SINGLE_WORLD = World()
