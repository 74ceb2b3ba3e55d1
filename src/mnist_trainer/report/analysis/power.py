"""How many seeds a difference takes: the power of the paired t-test, and what its runs cost.

The two runs of a seed make a pair, so a comparison of two recipes is a t-test of the differences
of pairs. Its power is exact for normal differences (noncentral t distribution; Cohen 1988).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mnist_trainer.report.analysis.statistics import CONFIDENCE

POWER = 0.8
"""The probability with which a difference is to be shown that is there."""
LEVEL = 1 - CONFIDENCE
"""The probability of showing a difference where there is none."""
SEEDS_SHOWN = (3, 10, 30, 100)
MOST_SEEDS = 1_000_000


@dataclass(frozen=True)
class DifferenceSd:
    """The standard deviation of the difference of two runs with the same seed, as estimated."""

    value: float
    degrees: int
    """Degrees of freedom of the estimate."""

    @cached_property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the standard deviation, by chi-square."""
        from scipy.stats import chi2

        low, high = chi2.ppf([(1 + CONFIDENCE) / 2, (1 - CONFIDENCE) / 2], self.degrees)
        root = math.sqrt(self.degrees)
        return self.value * root / math.sqrt(low), self.value * root / math.sqrt(high)


def pooled(samples: Sequence[Sequence[float]], scale: float = 1.0) -> DifferenceSd | None:
    """The standard deviation within samples, pooled over them.

    Args:
        scale: multiplies it; ``sqrt(2)`` for the difference of two independent values.

    Returns:
        None where no sample has two values.
    """
    degrees = sum(max(0, len(sample) - 1) for sample in samples)
    if not degrees:
        return None
    squares = 0.0
    for sample in samples:
        mean = math.fsum(sample) / max(1, len(sample))
        squares += math.fsum((value - mean) ** 2 for value in sample)
    return DifferenceSd(scale * math.sqrt(squares / degrees), degrees)


def power(difference: float, sd: float, seeds: int, level: float = LEVEL) -> float:
    """The probability that the paired t-test finds a difference.

    Args:
        difference: the true one, in the unit of ``sd``.
        sd: standard deviation of the differences of pairs, above 0.
        seeds: pairs, at least 2.
    """
    from scipy.stats import nct, t

    critical = float(t.ppf(1 - level / 2, seeds - 1))
    shift = abs(difference) / sd * math.sqrt(seeds)
    # The far tail adds less than half the level; far out it is not a number in SciPy.
    near, far = nct.sf(critical, seeds - 1, shift), nct.cdf(-critical, seeds - 1, shift)
    return float(near) + (float(far) if math.isfinite(far) else 0.0)


def detectable(sd: float, seeds: int, level: float = LEVEL) -> float:
    """The smallest difference that so many pairs show with 80 % power."""
    low, high = 0.0, sd
    while power(high, sd, seeds, level) < POWER:
        low, high = high, 2 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, sd, seeds, level) < POWER else (low, middle)
    return high


def seeds_needed(difference: float, sd: float, level: float = LEVEL) -> int:
    """The smallest number of pairs that shows a difference with 80 % power.

    Returns:
        ``MOST_SEEDS`` where even so many do not.
    """
    low, high = 1, 2
    while high < MOST_SEEDS and power(difference, sd, high, level) < POWER:
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if power(difference, sd, middle, level) < POWER else (low, middle)
        )
    return high


@dataclass(frozen=True)
class Evidence:
    """What is known of a comparison of recipes before more seeds are trained."""

    sd: DifferenceSd
    num_recipes: int
    """The first is what the others are compared with."""
    seconds_a_seed: float | None
    """Of one run of every recipe, one after the other; None where nothing is known of it."""
    notes: tuple[str, ...]
    """Where it is known from."""

    @property
    def level(self) -> float:
        """Of one comparison: the 5 % are shared over all (Bonferroni)."""
        return LEVEL / max(1, self.num_recipes - 1)

    def minutes(self, seeds: int) -> float | None:
        """Of so many runs of every recipe."""
        return None if self.seconds_a_seed is None else seeds * self.seconds_a_seed / 60


@dataclass(frozen=True)
class Prospect:
    """What a number of seeds for each recipe can show."""

    seeds: int
    difference: float
    """The smallest that is shown with 80 % power, a share of the images."""
    bounds: tuple[float, float]
    """The same with the ends of the interval of the standard deviation."""
    minutes: float | None


@dataclass(frozen=True)
class Demand:
    """What it takes to show a difference."""

    difference: float
    seeds: int
    bounds: tuple[int, int]
    """With the ends of the interval of the standard deviation."""
    minutes: float | None


def prospects(known: Evidence) -> list[Prospect]:
    """What 3, 10, 30 and 100 seeds can show."""
    low, high = known.sd.interval

    def least(sd: float, seeds: int) -> float:
        return detectable(sd, seeds, known.level)

    return [
        Prospect(
            seeds,
            least(known.sd.value, seeds),
            (least(low, seeds), least(high, seeds)),
            known.minutes(seeds),
        )
        for seeds in SEEDS_SHOWN
    ]


def demand(difference: float, known: Evidence) -> Demand:
    """How many seeds a difference takes, and how long these train."""
    low, high = (seeds_needed(difference, sd, known.level) for sd in known.sd.interval)
    seeds = seeds_needed(difference, known.sd.value, known.level)
    return Demand(difference, seeds, (low, high), known.minutes(seeds))
