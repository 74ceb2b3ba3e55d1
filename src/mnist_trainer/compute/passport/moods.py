"""The moods of a machine: one short measurement, repeated over the whole time of the passport."""

from typing import Any

import torch

from mnist_trainer.compute.device import unchanged_threads
from mnist_trainer.compute.passport.accounting import Accounts, read_accounts

SIZE = 256
SECONDS = 0.03
"""CPU time of one measurement."""


class Moods:
    """Measure a product of matrices on one thread, again and again.

    One thread computes in the calling thread, so that the thread's own CPU time says how long it
    computed, and the wall clock how long it took.
    """

    def __init__(self) -> None:
        torch.manual_seed(0)
        self._left, self._right = torch.rand(SIZE, SIZE), torch.rand(SIZE, SIZE)
        self._repeats = 1
        self.samples: list[dict[str, Any]] = []
        with unchanged_threads():
            torch.set_num_threads(1)
            self._compute(5)
            while (used := self._compute(self._repeats)).thread < SECONDS / 2:
                self._repeats *= 2
            self._repeats = max(1, round(self._repeats * SECONDS / used.thread))
        self.began = self._last = read_accounts()

    def _compute(self, repeats: int) -> Accounts:
        before = read_accounts()
        for _ in range(repeats):
            torch.mm(self._left, self._right)
        return read_accounts() - before

    def sample(self, times: int = 2) -> None:
        """Measure some times, and note what others used since the last measurement."""
        with unchanged_threads():
            torch.set_num_threads(1)
            for _ in range(times):
                now = read_accounts()
                since, used = now - self._last, self._compute(self._repeats)
                self._last = now
                self.samples.append(
                    {
                        "at": now.wall - self.began.wall,
                        "wall": used.wall,
                        "cpu": used.thread,
                        "waited": used.waited,
                        "others": used.others,
                        "stolen": used.stolen,
                        "others_cores": cores_of_others(since),
                    }
                )

    def elapsed(self) -> Accounts:
        """The accounts since the first measurement."""
        return read_accounts() - self.began


def cores_of_others(stretch: Accounts) -> float | None:
    """How many cores others kept busy over a stretch of time."""
    if stretch.others is None or stretch.wall < 0.1:
        return None  # Shorter than what ticks can tell.
    return max(0.0, (stretch.others + (stretch.stolen or 0.0)) / stretch.wall)
