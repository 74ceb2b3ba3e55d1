"""Fair comparison on a machine whose speed changes from second to second: short turns, in rotated
order, and medians."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

MIN_ROUNDS = 5


@dataclass(frozen=True)
class Summary:
    """One value for each round, and what they come to."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float:
        """Standard deviation of the sample; 0 for a single value, which has none."""
        return statistics.stdev(self.values) if len(self.values) > 1 else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "mean": self.mean,
            "sd": self.sd,
            "values": list(self.values),
        }


def turn_order(names: Sequence[str], turn_round: int) -> list[str]:
    """Who goes when in a round: each round starts with the next name, so that nobody is always
    behind the same one.

    Rotation alone would keep the neighbours, hence every second trip around goes backwards.
    """
    start = turn_round % len(names)
    order = [*names[start:], *names[:start]]
    return order if turn_round // len(names) % 2 == 0 else order[::-1]


def interleave(
    turns: Mapping[str, Callable[[], T]], rounds: int, warm_up: int = 1
) -> dict[str, list[T]]:
    """Let each way take a turn in every round.

    Args:
        turns: name of a way to one turn of it.
        rounds: how many turns each way gets that count.
        warm_up: rounds before those, whose outcomes are dropped.

    Returns:
        The outcomes of each way, one for each round: equal places were measured next to each other.
    """
    outcomes: dict[str, list[T]] = {name: [] for name in turns}
    for number in range(-warm_up, rounds):
        for name in turn_order(list(turns), number % (2 * len(turns))):
            outcome = turns[name]()
            if number >= 0:
                outcomes[name].append(outcome)
    return outcomes


def timed(
    action: Callable[[], object], wait: Callable[[], None], scale: float = 1.0
) -> Callable[[], float]:
    """A turn that does something and returns how long it took.

    Args:
        wait: returns once the device has done its work.
        scale: what the seconds are multiplied with.
    """

    def turn() -> float:
        wait()
        start = time.perf_counter()
        action()
        wait()
        return (time.perf_counter() - start) * scale

    return turn


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Summary:
    """The ratio within each round: the mood of the machine cancels, as it does not in a ratio of
    medians."""
    return Summary(
        tuple(above / below for above, below in zip(numerator, denominator, strict=True))
    )
