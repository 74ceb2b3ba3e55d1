"""The numbers of an evaluation, against scikit-learn and against cases worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, top_k_accuracy_score

from mnist_trainer.inference.scoring.metrics import calibrate, confident_mistakes, score


@pytest.mark.parametrize("num_classes", [3, 10, 26])
def test_as_scikit_learn_counts(num_classes: int) -> None:
    random = np.random.default_rng(num_classes)
    labels = random.integers(0, num_classes - 1, 400)  # The last class has no image.
    logits = random.normal(size=(400, num_classes)) + 2 * np.eye(num_classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answers = probabilities.argmax(axis=1)
    scores = score(labels, probabilities)
    every = range(num_classes)
    assert np.array_equal(scores.confusion, confusion_matrix(labels, answers, labels=every))
    expected = precision_recall_fscore_support(labels, answers, labels=every, zero_division=0)
    assert np.allclose([scores.precision, scores.recall, scores.f1, scores.support], expected)
    assert scores.top2 / 400 == pytest.approx(
        top_k_accuracy_score(labels, probabilities, k=2, labels=every)
    )
    assert scores.correct == int((labels == answers).sum())


def test_calibration_by_hand() -> None:
    # Bin (0.8, 1]: sure by 0.9 on average, right in 1 of 2. Bin (0.4, 0.6]: 0.5, right in 2 of 2.
    calibration = calibrate(
        np.array([0.85, 0.95, 0.45, 0.55]), np.array([True, False, True, True]), bins=5
    )
    assert calibration.count.tolist() == [0, 0, 2, 0, 2]
    assert calibration.error == pytest.approx((2 * 0.5 + 2 * 0.4) / 4)


def test_a_network_that_knows_how_sure_it_may_be_has_no_error() -> None:
    confidence = np.repeat([0.3, 0.7, 1.0], 1000)
    right = np.concatenate(
        [np.arange(1000) < 300, np.arange(1000) < 700, np.ones(1000, dtype=bool)]
    )
    assert calibrate(confidence, right).error == pytest.approx(0, abs=1e-9)
    assert calibrate(confidence, ~right).error > 0.4


def test_the_surest_mistakes_come_first() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.01, 0.99], [0.7, 0.3]])
    labels = np.array([0, 0, 1, 1, 1])
    assert confident_mistakes(labels, probabilities, 10).tolist() == [1, 4, 2]
    assert confident_mistakes(labels, probabilities, 1).tolist() == [1]
