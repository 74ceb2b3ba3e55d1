"""What short runs say about a range of learning rates: which one learns most, where the loss falls
most steeply, up to which they are stable, each with an interval over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.config.find_lr import FindLrSettings
from mnist_trainer.data.batches import stream_seed
from mnist_trainer.training.lr_range_test.short_runs import ShortRun

Array = NDArray[np.float64]
STREAM = 3
"""Keeps the bootstrap apart from other random numbers of the seed."""
LOW, HIGH = 2.5, 97.5
"""Percentiles that bound an interval of 95 %."""


@dataclass(frozen=True)
class RatePoint:
    """What the short runs of one rate came to."""

    rate: float
    losses: tuple[float, ...]
    """Of each seed, the mean over the last updates; infinity where the run diverged."""
    is_stable: tuple[bool, ...]
    """Of each seed, whether the run learned enough."""

    @property
    def num_diverged(self) -> int:
        return sum(math.isinf(loss) for loss in self.losses)

    @property
    def mean(self) -> float:
        """Mean loss over seeds; infinity where any run diverged."""
        return float(np.mean(self.losses))

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds; None where any run diverged."""
        return None if self.num_diverged else float(np.std(self.losses, ddof=1))


@dataclass(frozen=True)
class NamedRate:
    """A rate with its interval of 95 % over seeds (percentiles of the bootstrap)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NamedRates:
    """The rates that have a name; None for one that the range does not show."""

    fastest: NamedRate
    """Of the lowest loss."""
    recommended: NamedRate
    """The highest that is at most the fastest divided by ``divisor``."""
    steepest: NamedRate | None
    """Where the loss falls most for a factor of the rate, below the fastest."""
    largest_stable: NamedRate | None
    """The largest up to which, from the fastest on, all runs are stable."""


def judge_points(
    runs: Sequence[ShortRun], settings: FindLrSettings
) -> tuple[list[RatePoint], float]:
    """The points of all rates, lowest rate first, and the loss before training.

    Args:
        runs: of each rate one for each seed.
    """
    rates = sorted({run.rate for run in runs})
    seeds = sorted({run.seed for run in runs})
    found = {(run.rate, run.seed): run for run in runs}
    ends = np.array(
        [[end_loss(found[rate, seed], settings.num_judged) for seed in seeds] for rate in rates]
    )  # (R, S)
    # The first update of a seed sees the same weights and images whatever the rate is.
    starts = np.array([found[rates[0], seed].losses[0] for seed in seeds])
    with np.errstate(invalid="ignore"):
        learned = (starts - ends) / np.maximum(starts - ends.min(axis=0), 1e-12)
    stable = learned >= settings.stable_part
    points = [
        RatePoint(rate, tuple(map(float, loss)), tuple(map(bool, row)))
        for rate, loss, row in zip(rates, ends, stable, strict=True)
    ]
    return points, float(starts.mean())


def end_loss(run: ShortRun, num_judged: int) -> float:
    """Mean loss over the last updates; infinity where the run diverged."""
    return math.inf if run.diverged else float(np.mean(run.losses[-num_judged:]))


def name_rates(points: Sequence[RatePoint], settings: FindLrSettings, seed: int) -> NamedRates:
    """The named rates of all seeds, with intervals by resampling the seeds (Efron and Tibshirani,
    An introduction to the bootstrap, 1993, chapter 13).

    All rates of a resample have the same seeds: the runs are paired, and what a seed shifts at all
    rates alike does not widen the interval.
    """
    ends = np.array([point.losses for point in points])  # (R, S)
    stable = np.array([point.is_stable for point in points])
    rng = np.random.default_rng(stream_seed(seed, STREAM))
    num_seeds = ends.shape[1]
    drawn = rng.integers(num_seeds, size=(settings.resamples, num_seeds))
    samples = [np.arange(num_seeds), *drawn]
    rates = [point.rate for point in points]
    found = [_places(ends[:, each], stable[:, each]) for each in samples]
    for places in found:
        places["recommended"] = _below(rates, places["fastest"] or 0, settings.divisor)
    named = {name: _named(rates, [places[name] for places in found]) for name in found[0]}
    fastest, recommended = named["fastest"], named["recommended"]
    if fastest is None or recommended is None:
        raise ValueError("every rate has a loss, so one of them is the lowest")
    return NamedRates(fastest, recommended, named["steepest"], named["largest_stable"])


def _places(ends: Array, stable: NDArray[np.bool_]) -> dict[str, int | None]:
    """Index of each named rate, of losses (R, S) and whether each run is stable (R, S)."""
    means, all_stable = ends.mean(axis=1), np.asarray(stable.all(axis=1))
    fastest = int(means.argmin())
    steepest = None
    if fastest >= 2:
        # A central difference: both neighbours of a rate.
        slopes = means[2 : fastest + 1] - means[: fastest - 1]
        steepest = int(slopes.argmin()) + 1
    largest = None
    if all_stable[fastest]:
        unstable = np.flatnonzero(~all_stable[fastest:])
        largest = fastest + int(unstable[0]) - 1 if len(unstable) else len(ends) - 1
    return {
        "fastest": fastest,
        "steepest": steepest,
        "largest_stable": largest,
    }


def _below(rates: Sequence[float], fastest: int, divisor: float) -> int:
    """Index of the recommended rate; of the lowest where none is low enough.

    A run of full length favours lower rates than a short one: the noise of large updates keeps it
    from the bottom (Wu et al., Understanding short-horizon bias in stochastic meta-optimization,
    2018). docs/learning-rate.md shows how much lower.
    """
    limit = rates[fastest] / divisor * (1 + 1e-6)
    return max((k for k, rate in enumerate(rates) if rate <= limit), default=0)


def _named(rates: Sequence[float], places: Sequence[int | None]) -> NamedRate | None:
    """The rate of the first place, with the interval of the others."""
    first, *others = places
    if first is None:
        return None
    kept = [each for each in others if each is not None] or [first]
    low, high = np.percentile(kept, [LOW, HIGH], method="nearest").tolist()
    return NamedRate(rates[first], rates[int(low)], rates[int(high)])
