"""Intervals."""

import pytest

from mnist_trainer.runs.metrics import wilson_interval


# Reference values: Newcombe 1998, table I, and the limits of the formula.
@pytest.mark.parametrize(
    ("correct", "count", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_interval_agrees_with_published_values(
    correct: int, count: int, low: float, high: float
) -> None:
    assert wilson_interval(correct, count) == pytest.approx((low, high), abs=5e-5)
