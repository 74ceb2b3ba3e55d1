"""The temperature that makes probabilities true, and the least probability of a sure answer."""

import numpy as np
import pytest
from scipy.special import softmax

from mnist_trainer.errors import DataError
from mnist_trainer.inference.scoring.calibration import (
    calibrate_logits,
    fit_temperature,
    least_sure_probability,
)


def test_the_temperature_of_labels_drawn_at_it_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 10))
    drawn = (softmax(logits / 2.5, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    labels = drawn.clip(max=9)
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.03)
    # Larger logits need as much more of it: the probabilities stay.
    assert fit_temperature(4 * logits, labels) == pytest.approx(10, rel=0.03)


def test_the_least_sure_probability_worked_by_hand() -> None:
    confidences = np.linspace(1, 0.001, 1000)
    correct = np.ones(1000, bool)
    correct[[500, 502, 503, 504, 505, 506, 700]] = False
    # 7 of 700 are wrong, when one of the last 299 is: 99 % of all to the 701st.
    assert least_sure_probability(confidences, correct) == confidences[-1]
    correct[800:] = False
    # Right: 793 of 800, then none. 793 / n >= 0.99 holds up to n = 801.
    assert least_sure_probability(confidences, correct) == confidences[800]
    assert least_sure_probability(confidences, np.zeros(1000, bool)) == 1


def test_answers_of_one_probability_are_sure_together_or_not_at_all() -> None:
    confidences = np.array([0.9] * 200 + [0.8] * 200)
    correct = np.array([True] * 200 + [True] * 190 + [False] * 10)
    assert least_sure_probability(confidences, correct) == 0.9


def test_a_calibration_says_what_it_was_fitted_on() -> None:
    logits = np.eye(10).repeat(5, axis=0)
    fitted = calibrate_logits(logits, np.arange(10).repeat(5), "abc")
    assert (fitted.pictures, fitted.weights_sha256) == (50, "abc")
    assert fitted.temperature < 0.1
    with pytest.raises(DataError, match="no pictures"):
        calibrate_logits(np.zeros((0, 10)), np.zeros(0, np.int64), "abc")
