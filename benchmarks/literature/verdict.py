"""Whether a measured interval agrees with a published value, within a tolerance fixed before."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mnist_trainer.report.analysis.statistics import mean_interval, spread

Verdict = Literal["reproduced", "not reproduced", "cannot tell", "first measured", "not run"]


@dataclass(frozen=True)
class Accepted:
    """The values that agree with a claim, both ends included: published value and tolerance."""

    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"accepted values: {self.low:g} must be below {self.high:g}")

    def as_json(self) -> list[float | None]:
        return [bound if math.isfinite(bound) else None for bound in (self.low, self.high)]


def around(published: float, tolerance: float) -> Accepted:
    """A published value, and as much on both sides."""
    return Accepted(published - tolerance, published + tolerance)


@dataclass(frozen=True)
class Estimate:
    """A measured value with its interval."""

    value: float
    low: float
    high: float
    n: int
    """Runs, or pairs of runs, that it is the mean of."""
    interval: str
    """What the interval is one of, such as "95 %, of the mean over seeds"."""
    values: Sequence[float] = ()
    """One of each run."""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "value": self.value,
            "interval": [self.low, self.high],
            "interval_of": self.interval,
            "n": self.n,
            "values": list(self.values),
            "details": dict(self.details),
        }


OVER_SEEDS = "95 %, Student's t, of the mean over seeds"


def mean_over_seeds(
    values: Sequence[float],
    resolution: float,
    details: Mapping[str, Any] | None = None,
    interval: str = OVER_SEEDS,
) -> Estimate:
    """The mean of one value a seed, with its 95 % interval.

    Args:
        values: at least two.
        resolution: smallest step between two such values; a smaller sd counts as this one.
    """
    low, high = mean_interval(values, resolution)
    found = spread(values)
    known = {"sd": found.sd if found else None, **(details or {})}
    return Estimate(sum(values) / len(values), low, high, len(values), interval, values, known)


def judge(estimate: Estimate, accepted: Accepted | None, needed: int) -> tuple[Verdict, str]:
    """The verdict on a claim, and the reason for it.

    Reproduced: the whole interval is accepted. Not reproduced: none of it is. Everything else, and
    fewer runs than were planned, cannot tell.

    Args:
        accepted: None where nothing was published.
        needed: runs that were planned.
    """
    if not all(map(math.isfinite, (estimate.value, estimate.low, estimate.high))):
        return "cannot tell", "the interval is not finite"
    if estimate.n < needed:
        return "cannot tell", f"n = {estimate.n}, and {needed} were planned"
    if accepted is None:
        return "first measured", "nothing was published to compare with"
    if accepted.low <= estimate.low and estimate.high <= accepted.high:
        return "reproduced", "the whole interval is accepted"
    if estimate.high < accepted.low:
        return "not reproduced", "the whole interval lies below what is accepted"
    if estimate.low > accepted.high:
        return "not reproduced", "the whole interval lies above what is accepted"
    return "cannot tell", "only a part of the interval is accepted"


def pairs_needed(sd: float, difference: float) -> int:
    """Pairs of runs for a difference to be found with 80 % power, two-sided at 5 %.

    n = (1.96 + 0.84)² sd² / difference², the usual normal approximation.

    Args:
        sd: of the differences within pairs, in the unit of ``difference``.
    """
    return max(2, math.ceil(((1.959964 + 0.841621) * sd / difference) ** 2))
