"""Where the time of a run went."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields

from mnist_trainer.compute.device import Device
from mnist_trainer.runs.result import Seconds


class Clock:
    """Sums up wall-clock time by purpose; waits for the device before it reads the time."""

    def __init__(
        self, device: Device, started: float, earlier: Mapping[str, float] | None = None
    ) -> None:
        """Args:
        started: ``time.perf_counter()`` when this session of the run began.
        earlier: seconds of the sessions before it, by purpose.
        """
        self.device = device
        self.started = started
        self.earlier = earlier or {}
        self.spent: dict[str, float] = defaultdict(float)
        self.under_way: dict[str, float] = {}
        """Since when what is being measured has been."""

    @contextmanager
    def measure(self, purpose: str) -> Iterator[None]:
        """Count the time within under a purpose."""
        self.under_way[purpose] = self.now()
        try:
            yield
        finally:
            self.spent[purpose] += self.now() - self.under_way.pop(purpose)

    def now(self) -> float:
        """Seconds on a clock that never goes back, with the device's work done."""
        self.device.synchronize()
        return time.perf_counter()

    def mark_setup(self) -> None:
        """All time until now was set-up."""
        self.spent["setup"] = self.now() - self.started

    def seconds(self) -> Seconds:
        """Of all sessions until now; what is being measured counts as far as it has come."""
        now = self.now()
        spent = {**self.spent, "total": now - self.started}
        for purpose, since in self.under_way.items():
            spent[purpose] = spent.get(purpose, 0.0) + now - since
        return Seconds(
            **{
                each.name: self.earlier.get(each.name, 0.0) + spent.get(each.name, 0.0)
                for each in fields(Seconds)
            }
        )
