"""Classification metrics from labels and probabilities: pure functions of arrays, without torch."""

from collections.abc import Sequence
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
    """Confidence and accuracy, by bins of equal width over the predicted probability."""

    confidence: Floats
    """(BINS,), mean predicted probability in each bin; 0 in an empty one."""
    accuracy: Floats
    """(BINS,), accuracy in each bin; 0 in an empty one."""
    count: Ints
    """(BINS,), predictions in each bin."""

    @property
    def error(self) -> float:
        """Expected calibration error: mean gap between confidence and accuracy, weighted by the
        size of a bin."""
        gaps = np.abs(self.confidence - self.accuracy) * self.count
        return float(gaps.sum() / max(1, self.count.sum()))

    def by_bin(self) -> list[dict[str, Any]]:
        """Plain values of each bin."""
        columns = (self.confidence.tolist(), self.accuracy.tolist(), self.count.tolist())
        return [
            dict(zip(("confidence", "accuracy", "images"), row, strict=True))
            for row in zip(*columns, strict=True)
        ]


@dataclass(frozen=True)
class ClassificationMetrics:
    """Confusion matrix and what follows from it."""

    confusion: Ints
    """(C, C), images by true label (row) and predicted label (column)."""
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
        """(C,), of the predictions of class c the share that is correct; 0 where there are none."""
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

    def by_class(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Name and plain values of each class."""
        values = (self.precision, self.recall, self.f1, self.support)
        columns = (names, *(each.tolist() for each in values))
        return [
            dict(zip(("name", "precision", "recall", "f1", "images"), row, strict=True))
            for row in zip(*columns, strict=True)
        ]


def score(labels: Ints, probabilities: Floats) -> ClassificationMetrics:
    """Compute the metrics.

    Args:
        labels: (N,), 0 to C - 1.
        probabilities: (N, C); a tie goes to the first class.
    """
    num_classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(
        num_classes, num_classes
    )
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    better = (probabilities > own).sum(axis=1)
    return ClassificationMetrics(
        confusion,
        int((better < 2).sum()),
        calibrate(probabilities.max(axis=1), predicted == labels),
    )


def calibrate(confidence: Floats, correct: NDArray[np.bool_], bins: int = BINS) -> Calibration:
    """Sort predictions into bins ``(low, high]`` of confidence.

    Args:
        confidence: (N,), 0 to 1.
        correct: (N,).
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    return Calibration(
        confidence=ratio(np.bincount(place, weights=confidence, minlength=bins), count),
        accuracy=ratio(np.bincount(place, weights=correct, minlength=bins), count),
        count=count,
    )


def confident_mistakes(labels: Ints, probabilities: Floats, most: int) -> Ints:
    """Indexes of the most confident mistakes, in stable order."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = np.argsort(-probabilities.max(axis=1)[wrong], kind="stable")
    chosen: Ints = wrong[order[:most]]
    return chosen


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Element by element; 0 where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.zeros(len(whole), dtype=float), where=whole != 0)
    return shares
