"""Torchrun's world: several processes that make one run together. One process is a world of one.

No torch here: a mistake on the command line is answered before it is imported, and a run of one
process never needs ``torch.distributed``. What several processes do is in ``process_group``.
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


SECONDS_TO_FIND_OUT = 10.0
"""How long a neighbour may take to come to the same mistake: as long as one process starts later
than another."""


@contextmanager
def report_on_local_main(place: RankInfo) -> Iterator[None]:
    """For what every process finds out alike before they know each other: one of each machine says
    what is wrong.

    The others wait for torchrun to end them because of it. A neighbour that found nothing wrong
    would leave them with nothing said: then they say it after all.
    """
    try:
        yield
    except UserError:
        if place.local_rank != 0:
            wait_for_termination(SECONDS_TO_FIND_OUT)
        raise


def wait_for_termination(seconds: float) -> None:
    """Leave another process the time to say what went wrong.

    Torchrun ends all processes as soon as it sees one of them fail: one that fails in silence, and
    first, would take the word from the one that was about to speak.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    time.sleep(seconds)


class World:
    """The processes of a run, as one of them sees them. This one is alone: nothing has to be asked,
    shared or summed."""

    rank_info = SINGLE_PROCESS
    command = "mnist-train"
    """What starts a run like this one."""

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.rank_info.size

    @property
    def is_main_process(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank_info.rank == 0

    def broadcast_from_main(self, make: Callable[[], str]) -> str:
        """What the first process makes of it, for all.

        Raises:
            UserError: making it failed.
        """
        return make()

    def shard(self, count: int) -> slice:
        """This process's share of ``count`` things: parts that differ by at most one, in the order
        of the ranks."""
        return shard_of(count, self.rank_info)

    def reduce_metrics(self, metrics: "Metrics") -> "Metrics":
        """The metrics over the images of all processes."""
        return metrics

    def broadcast_model(self, model: "nn.Module") -> None:
        """Give the model of every process the weights and buffers that the first one has."""

    def all_reduce_sum(self, buffer: "Tensor") -> None:
        """Add up a buffer on the device over all processes, in place."""

    def interruption(self) -> Interruption:
        """What hears a request to stop."""
        return Interruption()

    def stop_flags(self) -> tuple[float, float]:
        """Whether this process has been asked to stop: by Ctrl+C, by SIGTERM."""
        return 0.0, 0.0

    def apply_stop_flags(self, votes: "Tensor") -> None:
        """Take note of the sum of all processes' votes; waits for the device."""

    def barrier(self) -> None:
        """Go on once all processes have come here."""

    def deduplicate_error(self, error: UserError) -> UserError:
        """The error, or in place of it one that keeps silent because another process says the same."""
        return error

    def shutdown(self) -> None:
        """The run has ended in good order."""

    def describe(self) -> dict[str, object]:
        """For environment.json."""
        return {"processes": 1}


SINGLE_WORLD = World()
