"""The rates that have a name, of curves that are known."""

import math
from collections.abc import Mapping

import pytest

from mnist_trainer.config.find_lr import FindLrSettings, read_find_lr
from mnist_trainer.training.lr_range_test.named_rates import NamedRates, judge_points, name_rates
from mnist_trainer.training.lr_range_test.short_runs import ShortRun

RATES = (0.001, 0.01, 0.1, 1.0, 10.0)
WORDS = ("find_lr.steps=8", "find_lr.judged_part=0.5", "find_lr.resamples=200")


def settings(*words: str) -> FindLrSettings:
    return read_find_lr([*WORDS, *words])


def runs_of(ends: Mapping[int, tuple[float, ...]]) -> list[ShortRun]:
    """Runs that begin at a loss of 2, and stay at the given one for their judged half; infinity: it
    diverges."""
    return [
        ShortRun(rate, seed, (2.0, 9.0) if diverged else (2.0, 9, 9, 9) + 4 * (end,), diverged)
        for seed, losses in ends.items()
        for rate, end in zip(RATES, losses, strict=True)
        for diverged in [math.isinf(end)]
    ]


def named(ends: Mapping[int, tuple[float, ...]]) -> NamedRates:
    points, start = judge_points(runs_of(ends), settings())
    assert start == 2.0
    return name_rates(points, settings(), seed=0)


CURVE = (1.9, 1.0, 0.5, 1.2, math.inf)


def test_equal_seeds_leave_no_doubt() -> None:
    found = named(dict.fromkeys(range(3), CURVE))
    for rate, value in (
        (found.fastest, 0.1),
        (found.recommended, 0.01),
        (found.steepest, 0.01),
        (found.largest_stable, 1.0),
    ):
        assert rate is not None
        assert (rate.value, rate.low, rate.high) == (value, value, value)


def test_half_of_the_best_is_stable() -> None:
    points, _ = judge_points(runs_of({0: CURVE, 1: (1.9, 1.0, 0.5, 1.3, 1.9)}), settings())
    assert [point.is_stable for point in points] == [
        *((False, False), (True, True), (True, True), (True, False), (False, False))
    ]
    assert [point.num_diverged for point in points] == [0, 0, 0, 0, 1]
    assert points[4].deviation is None


def test_seeds_that_differ_widen_the_interval() -> None:
    found = named({0: CURVE, 1: (1.9, 0.4, 0.9, 1.2, 2.0), 2: (1.9, 1.0, 0.6, 1.2, 2.0)})
    assert (found.fastest.value, found.fastest.low, found.fastest.high) == (0.1, 0.01, 0.1)


def test_a_shift_of_a_seed_does_not() -> None:
    shifted = tuple(loss + 0.3 for loss in CURVE)
    found = named({0: CURVE, 1: shifted, 2: CURVE})
    assert (found.fastest.low, found.fastest.high) == (0.1, 0.1)


def test_the_edge_has_no_steepest() -> None:
    found = named(dict.fromkeys(range(2), (0.4, 0.5, 0.9, 1.9, 1.9)))
    assert found.fastest.value == 0.001
    assert found.steepest is None


def test_the_same_seed_gives_the_same_intervals() -> None:
    ends = {0: CURVE, 1: (1.9, 0.4, 0.9, 1.2, 2.0), 2: (1.9, 0.7, 0.6, 1.0, 2.0)}
    assert named(ends) == named(ends)


@pytest.mark.parametrize("seeds", [2, 5])
def test_points_are_means_over_seeds(seeds: int) -> None:
    ends = {seed: (1.0 + seed, 1.0, 1.0, 1.0, 1.0) for seed in range(seeds)}
    points, _ = judge_points(runs_of(ends), settings())
    assert points[0].mean == pytest.approx(1 + (seeds - 1) / 2)


@pytest.mark.parametrize(("divisor", "expected"), [(1, 0.1), (10, 0.01), (11, 0.001), (1e5, 0.001)])
def test_the_recommended_rate_is_below_the_fastest(divisor: float, expected: float) -> None:
    chosen = settings(f"find_lr.divisor={divisor}")
    points, _ = judge_points(runs_of(dict.fromkeys(range(2), CURVE)), chosen)
    found = name_rates(points, chosen, seed=0)
    assert found.fastest.value == 0.1
    assert found.recommended.value == expected
