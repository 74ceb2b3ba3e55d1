"""Wall-clock time of a run, by purpose."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields

from mnist_trainer.compute.device import Device
from mnist_trainer.runs.result import Seconds


class Clock:
    """Accumulates wall-clock time by purpose; synchronizes the device before it reads the time."""

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
        self.running: dict[str, float] = {}
        """Start of each measurement that has not ended."""

    @contextmanager
    def measure(self, purpose: str) -> Iterator[None]:
        """Add the time spent within the context to a purpose."""
        self.running[purpose] = self.now()
        try:
            yield
        finally:
            self.spent[purpose] += self.now() - self.running.pop(purpose)

    def now(self) -> float:
        """Seconds on a monotonic clock, with the device's work done."""
        self.device.synchronize()
        return time.perf_counter()

    def mark_setup(self) -> None:
        """Count all time until now as set-up."""
        self.spent["setup"] = self.now() - self.started

    def seconds(self) -> Seconds:
        """Time of all sessions until now, running measurements included."""
        now = self.now()
        spent = {**self.spent, "total": now - self.started}
        for purpose, since in self.running.items():
            spent[purpose] = spent.get(purpose, 0.0) + now - since
        return Seconds(
            **{
                each.name: self.earlier.get(each.name, 0.0) + spent.get(each.name, 0.0)
                for each in fields(Seconds)
            }
        )
