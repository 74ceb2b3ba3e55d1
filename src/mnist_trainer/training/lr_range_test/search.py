"""The range test: a pass over powers of ten with one seed, then a fine one with all seeds.

The known test (Smith, Cyclical learning rates for training neural networks, 2017, section 3.3)
raises the rate within a single run, so that what it reads at a rate depends on the weights that the
lower rates left, on one seed, and on the loss of single batches. Here each rate has runs of its
own, all from the same few initial weights and orders of the images.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mnist_trainer.config.find_lr import MIN_STEPS, FindLrSettings
from mnist_trainer.errors import ConfigError, DivergedError
from mnist_trainer.training.lr_range_test.named_rates import (
    NamedRates,
    RatePoint,
    end_loss,
    judge_points,
    name_rates,
)
from mnist_trainer.training.lr_range_test.short_runs import ShortRun, ShortRuns, short_run_seed

Progress = Callable[[str, int], None]
"""Is told each short run as it begins: its rate, and how many there are at most."""


@dataclass(frozen=True)
class Cost:
    """What the test takes at most; runs that diverge end early."""

    runs: int
    steps: int
    seconds: float
    """Measured by a few updates on this machine."""


@dataclass(frozen=True)
class RangeTest:
    """What the test came to."""

    first_pass: tuple[ShortRun, ...]
    """One seed, powers of ten."""
    runs: tuple[ShortRun, ...]
    """Of the fine pass, for each rate one of each seed."""
    points: tuple[RatePoint, ...]
    """Of the fine pass, lowest rate first."""
    start_loss: float
    """Mean loss over seeds before training."""
    named: NamedRates


def powers_of_ten(settings: FindLrSettings) -> list[float]:
    """The rates of the first pass: those in the range, and its ends."""
    low, high = math.log10(settings.lowest), math.log10(settings.highest)
    inside = (10.0**power for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))
    ends = (settings.lowest, settings.highest)
    return sorted({float(f"{rate:.4g}") for rate in (*ends, *inside)})


def fine_rates(settings: FindLrSettings, best: float) -> list[float]:
    """The rates of the fine pass: on a grid through the powers of ten, near the best one."""
    per_decade = settings.per_decade
    place = math.log10(best) * per_decade
    low = math.ceil(place - settings.decades_below * per_decade - 1e-6)
    high = math.floor(place + settings.decades_above * per_decade + 1e-6)
    rates = [10 ** (k / per_decade) for k in range(low, high + 1)]
    kept = [rate for rate in rates if settings.lowest / 1.001 <= rate <= settings.highest * 1.001]
    return rounded(kept) or [best]


def rounded(rates: Sequence[float]) -> list[float]:
    """The rates with as few digits as tell them apart: 0.01, 0.02, 0.05 and not 0.0215."""
    short: list[float] = []
    for digits in (1, 2, 3):
        short = [float(f"{rate:.{digits}g}") for rate in rates]
        if len(set(short)) == len(rates):
            break
    return sorted(set(short))


def fit_steps(settings: FindLrSettings, steps_per_epoch: int) -> int:
    """Updates of a short run: as configured, and at most an epoch, so that each loss is of images
    that the network has not seen.

    Raises:
        ConfigError: an epoch has too few updates.
    """
    if steps_per_epoch < MIN_STEPS:
        raise ConfigError(
            f"--find-lr: an epoch of this configuration has {steps_per_epoch} updates, and the loss"
            f" is judged on batches not seen before: at least {MIN_STEPS}. Use more images"
            " (data.train_limit=null) or smaller updates (trainer.batch_size=64"
            " trainer.accumulation=1)"
        )
    return min(settings.steps, steps_per_epoch)


def estimate_cost(short: ShortRuns, settings: FindLrSettings, rate: float, seed: int) -> Cost:
    """Count the runs, and time a few updates of one of them.

    Args:
        rate, seed: of that run.
    """
    decades = settings.decades_below + settings.decades_above
    num_fine = math.floor(decades * settings.per_decade + 1e-6) + 1
    runs = len(powers_of_ten(settings)) + num_fine * settings.seeds
    preparation, step = short.measure_seconds(rate, seed)
    return Cost(runs, runs * settings.steps, runs * (preparation + settings.steps * step))


def run_range_test(
    short: ShortRuns, settings: FindLrSettings, seed: int, progress: Progress, most: int
) -> RangeTest:
    """Make both passes, and name the rates.

    Args:
        seed: all random numbers follow from it.
        most: short runs that are made at most, which ``progress`` is told.

    Raises:
        DivergedError: no rate of the range trains.
    """
    seeds = [short_run_seed(seed, number) for number in range(settings.seeds)]
    made: dict[tuple[float, int], ShortRun] = {}

    def make(rate: float, each: int) -> ShortRun:
        if (rate, each) not in made:
            progress(f"optimizer.lr={rate:.3g}", most)
            made[rate, each] = short.train(rate, each, settings.steps)
        return made[rate, each]

    first = tuple(make(rate, seeds[0]) for rate in powers_of_ten(settings))
    rates = fine_rates(settings, best_rate(first, settings))
    runs = tuple(make(rate, each) for rate in rates for each in seeds)
    points, start_loss = judge_points(runs, settings)
    require_learning(points, start_loss)
    return RangeTest(first, runs, tuple(points), start_loss, name_rates(points, settings, seed))


def best_rate(runs: Sequence[ShortRun], settings: FindLrSettings) -> float:
    """The rate of the lowest loss at the end.

    Raises:
        DivergedError: all diverged.
    """
    best = min(runs, key=lambda run: end_loss(run, settings.num_judged))
    if best.diverged:
        raise DivergedError(
            f"--find-lr: the loss is not finite with any optimizer.lr from {settings.lowest:g} to"
            f" {settings.highest:g}. Search lower rates: find_lr.lowest="
            f"{settings.lowest / 1e4:g}; or look at the network and the loss first"
        )
    return best.rate


def require_learning(points: Sequence[RatePoint], start_loss: float) -> None:
    """Raise ``DivergedError`` where no rate brings the loss below what it was before training."""
    if min(point.mean for point in points) >= start_loss:
        raise DivergedError(
            f"--find-lr: no rate brings the loss below {start_loss:.4g}, where it starts, in the"
            " updates of a short run. Make them longer, such as find_lr.steps=500, or search other"
            " rates with find_lr.lowest and find_lr.highest"
        )
