"""Several segmentations of one digit: which answer they come to."""

import numpy as np

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.segmentations import combine

VIEWS = [DetectedDigit(np.full((28, 28), i, np.uint8), Box(0, 0, i + 1, 1)) for i in range(3)]


def test_one_segmentation_is_its_own_answer() -> None:
    logits = np.array([[0.3, -2.0, 1.7]])
    answer = combine(VIEWS[:1], logits)
    assert answer.digit is VIEWS[0]
    assert np.array_equal(answer.logits, logits[0])


def test_each_counts_by_its_largest_probability() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.4, 0.35, 0.25]])
    answer = combine(VIEWS, np.log(shares) + np.array([[3.0], [-1.0], [0.5]]))
    weighted = (0.5 * shares[0] + 0.9 * shares[1] + 0.4 * shares[2]) / 1.8
    np.testing.assert_allclose(np.exp(answer.logits), weighted, rtol=1e-12)
    # The second says 1 the loudest.
    assert answer.digit.box == VIEWS[1].box


def test_the_same_segmentation_twice_changes_nothing() -> None:
    logits = np.array([[0.3, -2.0, 1.7]])
    twice = combine(VIEWS[:2], np.repeat(logits, 2, axis=0))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    np.testing.assert_allclose(np.exp(twice.logits), shares, rtol=1e-12)
