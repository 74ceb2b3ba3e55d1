"""Intervals and tests: against SciPy's own, by hand, and by how often they are wrong."""

import numpy as np
import pytest
from scipy import stats

from mnist_trainer.report.analysis.statistics import holm, mcnemar, spread, welch


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (3, 7)])
def test_welch_is_scipys(sizes: tuple[int, int]) -> None:
    generator = np.random.default_rng(4)
    a, b = (
        generator.normal(0.97, scale, size).tolist()
        for size, scale in zip(sizes, (0.001, 0.004), strict=True)
    )
    found = welch(a, b, resolution=0)
    expected = stats.ttest_ind(b, a, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert (found.p, found.degrees) == pytest.approx((expected.pvalue, expected.df))


@pytest.mark.parametrize("scales", [(1.0, 1.0), (1.0, 5.0)])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_false_positive_rate_is_at_most_5_percent(size: int, scales: tuple[float, float]) -> None:
    """Accuracies as they are measured: whole images of 10,000, here with seeds that come to within
    a few of each other."""
    generator, trials = np.random.default_rng(1), 1500
    a, b = (
        np.round(9800 + 8 * scale * generator.standard_normal((trials, size))) / 10_000
        for scale in scales
    )
    wrong = sum(welch(a[k].tolist(), b[k].tolist(), 1e-4).distinguishable for k in range(trials))
    # Two standard errors above 5 %.
    assert wrong / trials <= 0.05 + 2 * (0.05 * 0.95 / trials) ** 0.5 + (
        0.01 if scales[1] > 1 else 0
    )


def test_a_real_difference_is_found() -> None:
    generator, trials = np.random.default_rng(2), 200
    a, b = (
        0.9769 + 0.0012 * generator.standard_normal((trials, 3)),
        0.9867 + 0.0015 * generator.standard_normal((trials, 3)),
    )
    assert (
        sum(welch(a[k].tolist(), b[k].tolist(), 1e-4).distinguishable for k in range(trials)) > 190
    )


def test_equal_scores_count_as_one_step_of_spread() -> None:
    assert not welch([0.5, 0.5], [0.55, 0.55], resolution=0.05).distinguishable
    assert welch([0.5, 0.5, 0.5], [0.55, 0.55, 0.55], resolution=1e-4).distinguishable


def test_no_interval_over_one_seed() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        welch([0.5], [0.6, 0.7], 0.1)


def test_mcnemar_by_hand() -> None:
    """One image only for A, eight only for B: 2 * (C(9,0) + C(9,1)) / 2**9."""
    right_a = np.array([True] * 20 + [True] + [False] * 8 + [False] * 5)
    right_b = np.array([True] * 20 + [False] + [True] * 8 + [False] * 5)
    found = mcnemar(right_a, right_b)
    assert (found.only_a, found.only_b) == (1, 8)
    assert found.p == pytest.approx(2 * (1 + 9) / 2**9)
    assert mcnemar(right_a, right_a).p == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_spread_by_hand() -> None:
    found = spread([1.0, 2.0, 3.0])
    assert found is not None
    assert (found.mean, found.sd, found.n) == (2.0, 1.0, 3)
    alone = spread([0.5])
    assert alone is not None
    assert alone.sd is None
    assert spread([]) is None
