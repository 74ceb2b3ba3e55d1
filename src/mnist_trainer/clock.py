"""Where the time of a run went."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from mnist_trainer.device import Device
from mnist_trainer.result import Seconds


class Clock:
    """Sums up wall-clock time by purpose; waits for the device before it reads the time."""

    def __init__(self, device: Device, started: float) -> None:
        """Args:
        started: ``time.perf_counter()`` when the run began.
        """
        self.device = device
        self.started = started
        self.spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def measure(self, purpose: str) -> Iterator[None]:
        """Count the time within under a purpose."""
        start = self.now()
        try:
            yield
        finally:
            self.spent[purpose] += self.now() - start

    def now(self) -> float:
        """Seconds on a clock that never goes back, with the device's work done."""
        self.device.synchronize()
        return time.perf_counter()

    def mark_setup(self) -> None:
        """All time until now was set-up."""
        self.spent["setup"] = self.now() - self.started

    def seconds(self) -> Seconds:
        return Seconds(
            setup=self.spent["setup"],
            train=self.spent["train"],
            eval=self.spent["eval"],
            total=self.now() - self.started,
        )
