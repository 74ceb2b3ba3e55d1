"""Who had the processor: this process, others, the hypervisor, or nobody because of a limit.

Read from the operating system's own accounts (/proc/stat, schedstat, cpu.stat), not inferred from
timings.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mnist_trainer.compute.passport.identity import cgroup_folders, system_text

STAT = Path("/proc/stat")
SCHEDSTAT = Path("/proc/thread-self/schedstat")


def ticks_per_second() -> float:
    """In how many ticks a second the system counts CPU time."""
    with suppress(AttributeError, ValueError, OSError):
        return float(os.sysconf("SC_CLK_TCK"))
    return 100.0


@dataclass(frozen=True)
class Accounts:
    """CPU seconds up to now, or of a stretch of time; None where the system does not tell."""

    wall: float
    own: float
    """CPU seconds of this process and of those that it started and waited for."""
    thread: float
    """CPU seconds of the calling thread."""
    waited: float | None = None
    """Seconds for which the calling thread was ready to run, and others had the cores."""
    busy: float | None = None
    """CPU seconds of all processes on all cores."""
    stolen: float | None = None
    """CPU seconds that the hypervisor gave to other machines."""
    throttled: float | None = None
    """Seconds for which a control group stopped this process's threads."""
    throttlings: int | None = None

    def __sub__(self, earlier: "Accounts") -> "Accounts":
        """The stretch of time since an earlier moment."""

        def less(now: float | None, then: float | None) -> float | None:
            return None if now is None or then is None else now - then

        count = less(self.throttlings, earlier.throttlings)
        return Accounts(
            self.wall - earlier.wall,
            self.own - earlier.own,
            self.thread - earlier.thread,
            less(self.waited, earlier.waited),
            less(self.busy, earlier.busy),
            less(self.stolen, earlier.stolen),
            less(self.throttled, earlier.throttled),
            None if count is None else int(count),
        )

    @property
    def others(self) -> float | None:
        """CPU seconds of other processes; slightly negative where ticks were counted late."""
        return None if self.busy is None else self.busy - self.own


def read_accounts() -> Accounts:
    """The accounts at this moment."""
    busy, stolen = read_stat(system_text(STAT))
    throttled, count = read_throttling(
        [system_text(path / "cpu.stat") for path in cgroup_folders()]
    )
    used = os.times()
    own = used.user + used.system + used.children_user + used.children_system
    thread, waited = time.thread_time(), read_waiting(system_text(SCHEDSTAT))
    return Accounts(time.perf_counter(), own, thread, waited, busy, stolen, throttled, count)


def read_stat(text: str) -> tuple[float | None, float | None]:
    """CPU seconds of all processes, and stolen ones, from the text of /proc/stat."""
    name, *values = (text.splitlines() or [""])[0].split()[:9] or [""]
    if name != "cpu" or len(values) < 8 or not all(map(str.isdigit, values)):
        return None, None
    user, nice, system, _idle, _wait, irq, soft, steal = (int(value) for value in values)
    ticks = ticks_per_second()
    return (user + nice + system + irq + soft) / ticks, steal / ticks


def read_waiting(text: str) -> float | None:
    """Seconds on a run queue, the second number of ``schedstat``."""
    fields = text.split()
    return int(fields[1]) / 1e9 if len(fields) == 3 and fields[1].isdigit() else None


def read_throttling(texts: list[str]) -> tuple[float | None, int | None]:
    """Seconds and number of throttlings from the texts of ``cpu.stat``: the largest of a group and
    its parents."""
    seconds, counts = list[float](), list[int]()
    for text in texts:
        pairs = (line.split() for line in text.splitlines())
        found = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
        if "nr_throttled" in found:
            counts.append(found["nr_throttled"])
            # Version 2 counts microseconds, version 1 nanoseconds.
            micro = found.get("throttled_usec", found.get("throttled_time", 0) / 1000)
            seconds.append(micro / 1e6)
    return max(seconds, default=None), max(counts, default=None)
