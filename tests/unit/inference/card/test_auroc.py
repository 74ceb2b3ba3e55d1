"""AUROC equals the count of pairs, its interval covers, and coverage is worked out by hand."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from mnist_trainer.inference.card.auroc import auroc, risk_coverage


def by_pairs(positive: np.ndarray, negative: np.ndarray) -> float:
    """Every pair looked at; a tie counts half."""
    return float(np.mean([(p > n) + 0.5 * (p == n) for p in positive for n in negative]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("values", [4, 10_000])
def test_equals_the_count_of_pairs_and_the_u_statistic(seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    positive, negative = rng.integers(values, size=37) + 1.0, rng.integers(values, size=23) * 1.0
    found = auroc(positive, negative)
    assert found is not None
    assert found["auroc"] == pytest.approx(by_pairs(positive, negative), abs=1e-12)
    u = mannwhitneyu(positive, negative).statistic
    assert found["auroc"] == pytest.approx(u / (37 * 23), abs=1e-12)
    low, high = found["auroc_interval_95"]
    assert 0 < low < found["auroc"] < high < 1


def test_the_variance_is_delongs() -> None:
    """Structural components by their definition, in double loops."""
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 40), rng.normal(0, 1, 30)
    pairs = np.array([[float(p > n) for n in negative] for p in positive])
    variance = pairs.mean(axis=1).var(ddof=1) / 40 + pairs.mean(axis=0).var(ddof=1) / 30
    found = auroc(positive, negative)
    assert found is not None
    low, high = (np.log(bound / (1 - bound)) for bound in found["auroc_interval_95"])
    slope = 1 / (found["auroc"] * (1 - found["auroc"]))
    assert (high - low) / 2 == pytest.approx(1.959964 * slope * np.sqrt(variance), rel=1e-6)


def test_the_interval_covers_the_truth() -> None:
    """Two normals a standard deviation of 1 apart: AUROC is Phi(1 / sqrt 2) = 0.7602."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        found = auroc(rng.normal(1, 1, 60), rng.normal(0, 1, 40))
        assert found is not None
        low, high = found["auroc_interval_95"]
        covered += low <= 0.76025 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_without_one_side_or_without_overlap() -> None:
    assert auroc(np.array([]), np.ones(3)) is None
    found = auroc(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert found == {"auroc": 1.0, "auroc_interval_95": None}


def test_coverage_by_hand() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    correct = np.array([True, True, False, True])
    points = risk_coverage(confidence, correct, (1.0, 0.75, 0.5, 0.25))
    assert [point["accuracy"] for point in points] == [0.75, pytest.approx(2 / 3), 1.0, 1.0]
    assert [point["images"] for point in points] == [4, 3, 2, 1]


def test_equal_confidence_is_answered_in_part() -> None:
    """Of four equally sure answers, three of them right, any two are right in 3/4 on average; the
    order of the images makes no difference."""
    confidence = np.full(4, 0.5)
    for wrong in range(4):
        correct = np.arange(4) != wrong
        (point,) = risk_coverage(confidence, correct, (0.5,))
        assert point["accuracy"] == pytest.approx(0.75)
