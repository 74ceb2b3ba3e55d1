"""What can be said of a difference, and with which certainty. SciPy is asked for its distributions
only when used."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.system.optional_packages import import_package

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation of a few numbers."""

    mean: float
    sd: float | None
    """None for a single number."""
    n: int


@dataclass(frozen=True)
class Difference:
    """How far two means are apart, as mean of B less mean of A."""

    a: Spread
    b: Spread
    value: float
    low: float
    high: float
    p: float
    """Two-sided, of no difference."""
    degrees: float
    """Degrees of freedom, by Welch and Satterthwaite."""

    @property
    def distinguishable(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class McNemar:
    """Two models on the same images: those that only one of them classified rightly."""

    only_a: int
    only_b: int
    p: float
    """Exact and two-sided: how likely so uneven a split is if each such image fell to either model
    with chance 1/2."""


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and spread; None of nothing."""
    if not values:
        return None
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Spread(mean, None, 1)
    return Spread(
        mean,
        math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)),
        len(values),
    )


def welch(a: Sequence[float], b: Sequence[float], resolution: float) -> Difference:
    """Difference of two means with its 95 % interval, the variances not taken to be equal (Welch
    1947).

    ``mean(b) - mean(a) +- t(0.975, df) * sqrt(var(a)/n_a + var(b)/n_b)``, df by Welch and
    Satterthwaite.

    Args:
        a: one number a seed, at least 2.
        b: the same of the other side.
        resolution: the least step between two such numbers, 1 / images for an accuracy. Seeds that
            happen to come to the same number do not show that there is no spread: a standard
            deviation below one step counts as one step.
    """
    distributions = _scipy_stats()
    left, right = spread(a), spread(b)
    if left is None or right is None or left.sd is None or right.sd is None:
        raise ValueError("an interval over seeds takes at least two seeds on each side")
    parts = [max(side.sd or 0.0, resolution) ** 2 / side.n for side in (left, right)]
    error = math.sqrt(sum(parts))
    degrees = sum(parts) ** 2 / sum(
        part**2 / (side.n - 1) for part, side in zip(parts, (left, right), strict=True)
    )
    value = right.mean - left.mean
    half = float(distributions.t.ppf((1 + CONFIDENCE) / 2, degrees)) * error
    p = 2 * float(distributions.t.sf(abs(value) / error, degrees))
    return Difference(left, right, value, value - half, value + half, p, degrees)


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> McNemar:
    """McNemar's test (1947), exact by the binomial distribution.

    Args:
        right_a: which images model A classified rightly, (N,).
        right_b: the same of model B, of the same images.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(
        only_a, only_b, float(_scipy_stats().binomtest(only_a, only_a + only_b, 0.5).pvalue)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being many, in the order given (Holm 1979): chance of any false
    find at most the level."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _scipy_stats() -> Any:
    return import_package("scipy.stats", "This statistic")
