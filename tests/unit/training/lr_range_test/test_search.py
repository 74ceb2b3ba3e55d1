"""The search finds the best rate of a problem whose best rate is known."""

import math
from typing import Any

import pytest

from mnist_trainer.config.find_lr import FindLrSettings, read_find_lr
from mnist_trainer.errors import ConfigError, DivergedError
from mnist_trainer.training.lr_range_test.search import (
    RangeTest,
    fine_rates,
    fit_steps,
    powers_of_ten,
    run_range_test,
)
from mnist_trainer.training.lr_range_test.short_runs import ShortRun

ONE_ABOVE = "find_lr.decades_above=1"


class Valley:
    """In place of a network: the loss falls with every update, most at one rate; ten times that
    rate diverges."""

    def __init__(self, best: float) -> None:
        self.best = best
        self.made: list[tuple[float, int]] = []

    def train(self, rate: float, seed: int, steps: int) -> ShortRun:
        self.made.append((rate, seed))
        distance = math.log10(rate / self.best)
        if distance > 0.99:
            return ShortRun(rate, seed, (2.3,), diverged=True)
        speed = 0.05 / (1 + 4 * distance**2)
        losses = tuple(2.3 * math.exp(-speed * step) for step in range(steps))
        return ShortRun(rate, seed, losses, diverged=False)


def search(best: float, *words: str) -> tuple[RangeTest, Valley, list[int]]:
    valley: Any = Valley(best)
    told: list[int] = []
    settings = read_find_lr(["find_lr.seeds=2", "find_lr.resamples=100", *words])
    test = run_range_test(valley, settings, 0, lambda _, most: told.append(most), 99)
    return test, valley, told


@pytest.mark.parametrize("best", [0.00002, 0.001, 0.02, 0.5, 10.0])
def test_the_best_rate_is_found(best: float) -> None:
    test, valley, told = search(best)
    assert test.named.fastest.value == best
    assert len(valley.made) == len(set(valley.made)) == len(told)


def test_a_rate_off_the_grid_has_the_nearest() -> None:
    test, _, _ = search(0.013)
    assert test.named.fastest.value == 0.01
    assert test.named.recommended.value == 0.005


def test_rates_are_round() -> None:
    assert fine_rates(read_find_lr([ONE_ABOVE]), 0.01) == [
        0.0005,
        0.001,
        0.002,
        0.005,
        0.01,
        0.02,
        0.05,
        0.1,
    ]


@pytest.mark.parametrize("per_decade", [1, 2, 3, 4, 7, 20, 100])
def test_no_two_rates_are_the_same(per_decade: int) -> None:
    settings = read_find_lr([ONE_ABOVE, f"find_lr.per_decade={per_decade}"])
    rates = fine_rates(settings, 0.01)
    assert len(rates) == math.floor(2.5 * per_decade) + 1
    assert 0.01 in rates


def test_the_range_is_kept() -> None:
    settings = read_find_lr(["find_lr.lowest=0.003", "find_lr.highest=0.2"])
    assert powers_of_ten(settings) == [0.003, 0.01, 0.1, 0.2]
    assert fine_rates(settings, 0.01) == [0.005, 0.01, 0.02, 0.05, 0.1]
    assert fine_rates(settings, 0.003)[0] >= 0.003


def test_no_finite_loss_is_said() -> None:
    with pytest.raises(DivergedError, match=r"find_lr\.lowest=1e-10"):
        search(1e-9)


def settings_of(steps: int) -> FindLrSettings:
    return read_find_lr([f"find_lr.steps={steps}"])


def test_a_short_run_is_at_most_an_epoch() -> None:
    assert [fit_steps(settings_of(100), steps) for steps in (860, 40)] == [100, 40]
    with pytest.raises(ConfigError, match="1 updates"):
        fit_steps(settings_of(100), 1)
