"""Statistical tests for accuracies. SciPy is imported only where a test needs it, for start-up."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """Difference of two means, mean of B minus mean of A, with its 95 % confidence interval."""

    a: Spread
    b: Spread
    value: float
    low: float
    high: float
    p: float
    """Two-sided p-value of the hypothesis that the means are equal."""
    degrees: float
    """Degrees of freedom, by Welch and Satterthwaite."""

    @property
    def distinguishable(self) -> bool:
        """Whether the confidence interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two models on the same images."""

    only_a: int
    """Images that only model A classified correctly."""
    only_b: int
    p: float
    """Exact two-sided p-value of the hypothesis that each such image fell to A or B by a fair
    coin."""


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and sample standard deviation; None for no values."""
    if not values:
        return None
    sd = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), sd, len(values))


def welch(a: Sequence[float], b: Sequence[float], resolution: float) -> Difference:
    """Difference of two means with its 95 % interval, for unequal variances (Welch 1947).

    ``mean(b) - mean(a) +- t(0.975, df) * sqrt(var(a)/n_a + var(b)/n_b)``, df by Welch and
    Satterthwaite.

    Args:
        a: one number per seed, at least 2.
        b: the same for the other side.
        resolution: smallest step between two such numbers, 1 / images for an accuracy. Equal
            numbers of a few seeds do not prove that there is no spread: a standard deviation
            below one step counts as one step.

    Raises:
        ValueError: a side has fewer than two numbers.
    """
    from scipy.stats import t as student

    left, right = spread(a), spread(b)
    if left is None or right is None or left.sd is None or right.sd is None:
        raise ValueError("an interval over seeds takes at least two seeds on each side")
    parts = [max(side.sd or 0.0, resolution) ** 2 / side.n for side in (left, right)]
    error = math.sqrt(sum(parts))
    degrees = sum(parts) ** 2 / sum(
        part**2 / (side.n - 1) for part, side in zip(parts, (left, right), strict=True)
    )
    value = right.mean - left.mean
    half = float(student.ppf((1 + CONFIDENCE) / 2, degrees)) * error
    p = 2 * float(student.sf(abs(value) / error, degrees))
    return Difference(left, right, value, value - half, value + half, p, degrees)


def mean_interval(
    values: Sequence[float], resolution: float, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The confidence interval of a mean, ``mean +- t((1 + confidence) / 2, n - 1) * sd / sqrt(n)``.

    Args:
        values: at least 2.
        resolution: as of ``welch``.

    Raises:
        ValueError: there are fewer than two values.
    """
    return _student_interval(values, confidence, resolution, 0.0)


def prediction_interval(
    values: Sequence[float], confidence: float, resolution: float
) -> tuple[float, float]:
    """The interval that one further value of the same normal distribution falls into.

    ``mean +- t((1 + confidence) / 2, n - 1) * sd * sqrt(1 + 1/n)``.

    Args:
        values: at least 2.
        resolution: as of ``welch``.

    Raises:
        ValueError: there are fewer than two values.
    """
    return _student_interval(values, confidence, resolution, 1.0)


def _student_interval(
    values: Sequence[float], confidence: float, resolution: float, own: float
) -> tuple[float, float]:
    """``mean +- t * sd * sqrt(own + 1/n)``: ``own`` is 1 for a further value, which has a variance
    of its own, and 0 for the mean."""
    from scipy.stats import t as student

    found = spread(values)
    if found is None or found.sd is None:
        raise ValueError("an interval takes at least two values")
    half = float(student.ppf((1 + confidence) / 2, found.n - 1)) * max(found.sd, resolution)
    half *= math.sqrt(own + 1 / found.n)
    return found.mean - half, found.mean + half


def mcnemar(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> McNemar:
    """McNemar's test (1947), exact by the binomial distribution.

    Args:
        right_a: which images model A classified correctly, (N,).
        right_b: the same for model B, on the same images.
    """
    from scipy.stats import binomtest

    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(only_a, only_b, float(binomtest(only_a, only_a + only_b, 0.5).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple tests (Holm 1979), in the order given.

    The family-wise error rate is then at most the level that the adjusted values are held to.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
