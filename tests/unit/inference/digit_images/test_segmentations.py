"""Several segmentations of one digit: which answer they come to."""

from dataclasses import replace

import numpy as np

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.segmentations import combine

VIEWS = [DetectedDigit(np.full((28, 28), i, np.uint8), Box(0, 0, i + 1, 1)) for i in range(3)]


def test_one_segmentation_is_its_own_answer() -> None:
    logits = np.array([[0.3, -2.0, 1.7]])
    answer = combine(VIEWS[:1], logits)
    assert answer.digit is VIEWS[0]
    assert np.array_equal(answer.logits, logits[0])


def test_each_counts_by_its_largest_probability_and_its_score() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.05, 0.9, 0.05], [0.4, 0.35, 0.25]])
    views = [replace(view, score=score) for view, score in zip(VIEWS, (8, 1, 27), strict=True)]
    answer = combine(views, np.log(shares) + np.array([[3.0], [-1.0], [0.5]]))
    weights = np.array([0.25 * 2, 0.81 * 1, 0.16 * 3])
    np.testing.assert_allclose(np.exp(answer.logits), weights @ shares / weights.sum(), rtol=1e-12)
    # The second says 1 the loudest.
    assert answer.digit.box == VIEWS[1].box


def test_a_piece_of_a_line_does_not_outvote_a_digit() -> None:
    shares = np.array([[0.05, 0.25, 0.7], [0.02, 0.95, 0.03]])
    views = [VIEWS[0], replace(VIEWS[1], score=0.01)]
    assert combine(views, np.log(shares)).logits.argmax() == 2
    assert combine(VIEWS[:2], np.log(shares)).logits.argmax() == 1


def test_the_same_segmentation_twice_changes_nothing() -> None:
    logits = np.array([[0.3, -2.0, 1.7]])
    twice = combine(VIEWS[:2], np.repeat(logits, 2, axis=0))
    shares = np.exp(logits[0]) / np.exp(logits[0]).sum()
    np.testing.assert_allclose(np.exp(twice.logits), shares, rtol=1e-12)
