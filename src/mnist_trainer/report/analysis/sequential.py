"""Decide between recipes while seeds are added: looks in between, with the error of all of them
held to 5 %.

Looks are planned before the first run: after 3 seeds, then after half as many again, up to the
most. Each look of each comparison has an equal part of the 5 %, so by Boole's inequality the
probability that any of all the intervals misses its difference is at most 5 %, however the looks
depend on each other (for normal differences; Student's t is exact for any number of seeds). The
interval at any look, whenever the search ends and for whatever reason, is therefore valid.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mnist_trainer.report.analysis.statistics import CONFIDENCE, mean_interval

FIRST_LOOK = 3
"""Seeds at the first look."""
GROWTH = 1.5
"""Seeds at a look, over those at the look before."""
LEAST_LAST = 1.25
"""Seeds at the last look, over those at the look before, at least."""


class Verdict(StrEnum):
    """How a comparison stands."""

    OPEN = "open"
    APART = "apart"
    NARROW = "narrow"
    SPENT = "spent"


@dataclass(frozen=True)
class StoppingRule:
    """When seeds are enough."""

    width: float
    """The interval of a difference is narrow enough below this width, a share of the images."""
    looks: tuple[int, ...]
    """Seeds of each recipe at which is looked; at the last the search ends in any case."""
    num_comparisons: int
    """Recipes that are compared with the first."""

    @property
    def most(self) -> int:
        """Seeds of each recipe, at most."""
        return self.looks[-1]

    @property
    def confidence(self) -> float:
        """Of the interval at one look of one comparison, so that all of them hold at 95 %."""
        return 1 - (1 - CONFIDENCE) / (len(self.looks) * self.num_comparisons)


def planned_looks(most: int) -> tuple[int, ...]:
    """The numbers of seeds to look at: 3, then half as many again each time, up to the most."""
    looks = [min(FIRST_LOOK, most)]
    while looks[-1] < most:
        following = math.ceil(GROWTH * looks[-1])
        # A last look that has hardly more seeds than the one before would be spent in vain.
        looks.append(following if LEAST_LAST * following <= most else most)
    return tuple(looks)


@dataclass(frozen=True)
class Look:
    """The difference of a recipe from the first at a look."""

    seeds: int
    """Pairs of runs with a result."""
    value: float | None
    """Mean difference, a share of the images; None for fewer than two pairs."""
    low: float | None
    high: float | None
    """The interval, valid at 95 % over all looks and comparisons."""
    verdict: Verdict


def look(
    differences: Sequence[float], rule: StoppingRule, resolution: float, *, is_last: bool
) -> Look:
    """Judge a comparison.

    Args:
        differences: of the pairs of runs with the same seed, in a fixed order.
        resolution: smallest step between two accuracies, 1 / images; see ``mean_interval``.
        is_last: whether no further seed can be added.
    """
    if len(differences) < 2:
        return Look(len(differences), None, None, None, Verdict.SPENT if is_last else Verdict.OPEN)
    low, high = mean_interval(differences, resolution, rule.confidence)
    if low > 0 or high < 0:
        verdict = Verdict.APART
    elif high - low < rule.width:
        verdict = Verdict.NARROW
    else:
        verdict = Verdict.SPENT if is_last else Verdict.OPEN
    value = math.fsum(differences) / len(differences)
    return Look(len(differences), value, low, high, verdict)


def paired(a: Mapping[int, float], b: Mapping[int, float]) -> list[float]:
    """The differences b - a of accuracies by seed, of the seeds that both have."""
    return [b[seed] - a[seed] for seed in sorted(a.keys() & b.keys())]


def expected_seeds(
    difference: float, sd: float, rule: StoppingRule, repeats: int = 2000
) -> tuple[float, float]:
    """Simulate the rule on normal differences, with a fixed stream of random numbers.

    Returns:
        The mean number of seeds of each recipe, and the share of searches that find a difference.
    """
    import numpy as np
    from scipy.stats import t

    looks = np.array(rule.looks)
    drawn = np.random.default_rng(0).normal(difference, sd, (repeats, rule.most))
    sums, squares = drawn.cumsum(axis=1)[:, looks - 1], (drawn**2).cumsum(axis=1)[:, looks - 1]
    means = sums / looks
    variances = np.maximum(squares - sums * means, 0) / np.maximum(looks - 1, 1)
    halves = t.ppf((1 + rule.confidence) / 2, np.maximum(looks - 1, 1)) * np.sqrt(variances / looks)
    is_apart = (np.abs(means) > halves) & (looks > 1)
    is_over = is_apart | (2 * halves < rule.width) & (looks > 1)
    is_over[:, -1] = True
    ends = is_over.argmax(axis=1)
    found = is_apart[np.arange(repeats), ends]
    return float(looks[ends].mean()), float(found.mean())
