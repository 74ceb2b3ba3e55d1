"""Numbers of an evaluation, from labels and probabilities: pure functions of arrays, and no torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

BINS = 15
"""Bins of confidence, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""


@dataclass(frozen=True)
class Calibration:
    """How sure the network was, and how often it was right: by bins of equal width over the
    probability of its answer."""

    confidence: Floats
    """(BINS,), mean probability of the answers in each bin; 0 in an empty one."""
    accuracy: Floats
    """(BINS,), share of right answers in each bin; 0 in an empty one."""
    count: Ints
    """(BINS,), answers in each bin."""

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between confidence and accuracy, weighted by the
        answers in a bin."""
        gaps = np.abs(self.confidence - self.accuracy) * self.count
        return float(gaps.sum() / max(1, self.count.sum()))


@dataclass(frozen=True)
class ClassificationMetrics:
    """What predictions come to, image by image and class by class."""

    confusion: Ints
    """(C, C), images by true class (row) and answer (column)."""
    top2: int
    """Images whose label is among the two most probable classes."""
    calibration: Calibration

    @property
    def count(self) -> int:
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        return int(np.trace(self.confusion))

    @property
    def precision(self) -> Floats:
        """(C,), of the answers "c" the share that is right; 0 where there are none."""
        return ratio(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def recall(self) -> Floats:
        """(C,), of the images of class c the share that is found; 0 where there are none."""
        return ratio(self.confusion.diagonal(), self.confusion.sum(axis=1))

    @property
    def f1(self) -> Floats:
        """(C,), harmonic mean of precision and recall; 0 where both are."""
        return ratio(
            2 * self.confusion.diagonal(), self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        )

    @property
    def support(self) -> Ints:
        """(C,), images of each class."""
        total: Ints = self.confusion.sum(axis=1)
        return total


def score(labels: Ints, probabilities: Floats) -> ClassificationMetrics:
    """Score predictions.

    Args:
        labels: (N,), 0 to C - 1.
        probabilities: (N, C); a tie goes to the first class.
    """
    num_classes = probabilities.shape[1]
    answers = probabilities.argmax(axis=1)
    confusion = np.bincount(labels * num_classes + answers, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    better = (probabilities > own).sum(axis=1)
    return ClassificationMetrics(
        confusion, int((better < 2).sum()), calibrate(probabilities.max(axis=1), answers == labels)
    )


def calibrate(confidence: Floats, right: NDArray[np.bool_], bins: int = BINS) -> Calibration:
    """Sort answers into bins ``(low, high]`` of confidence.

    Args:
        confidence: (N,), 0 to 1.
        right: (N,).
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    return Calibration(
        confidence=ratio(np.bincount(place, weights=confidence, minlength=bins), count),
        accuracy=ratio(np.bincount(place, weights=right, minlength=bins), count),
        count=count,
    )


def confident_mistakes(labels: Ints, probabilities: Floats, most: int) -> Ints:
    """Indexes of the wrong answers, the surest first; of equally sure ones the first."""
    answers = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != labels)
    order = np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")
    chosen: Ints = wrong[order[:most]]
    return chosen


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Element by element; 0 where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.zeros(len(whole), dtype=float), where=whole != 0)
    return shares
