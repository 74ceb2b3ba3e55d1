"""The answer to a digit that was segmented in several ways: the network sees each of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from mnist_trainer.inference.digit_images.boxes import DetectedDigit
from mnist_trainer.inference.digit_images.segment import without_duplicates
from mnist_trainer.inference.digit_images.segmentation_network import segment_photographs

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

Floats = NDArray[np.float64]

LEAST_SCORE = 1e-12
"""Smaller scores count as this one."""


@dataclass(frozen=True)
class ClassifiedDigit:
    """A digit and the logits of its classes."""

    digit: DetectedDigit
    """The segmentation that speaks most for the class that was chosen."""
    logits: Floats
    """(C,)."""


def classify_digits(
    digits: Sequence[DetectedDigit], trained: "TrainedModel"
) -> list[ClassifiedDigit]:
    """Classify digits by all of their segmentations, also that of the segmentation network."""
    views = [[digit, *digit.alternatives] for digit in segment_by_network(digits)]
    images = np.stack([view.image for each in views for view in each])
    ends = np.cumsum([len(each) for each in views])
    parts = np.split(trained.logits(images).double().numpy(), ends[:-1])
    return [combine(each, logits) for each, logits in zip(views, parts, strict=True)]


def segment_by_network(digits: Sequence[DetectedDigit]) -> list[DetectedDigit]:
    """Digits of photographs with one alternative more: what the segmentation network finds."""
    photographs = [digit.photograph for digit in digits if digit.photograph is not None]
    segmented = iter(segment_photographs(photographs))
    return [
        digit if digit.photograph is None else add_alternative(digit, next(segmented))
        for digit in digits
    ]


def add_alternative(digit: DetectedDigit, found: DetectedDigit | None) -> DetectedDigit:
    """A digit with another segmentation, unless it is like one that it has."""
    digit = replace(digit, photograph=None)
    if found is None:
        return digit
    other = replace(found, among_several=digit.among_several, rejected=digit.rejected)
    return replace(digit, alternatives=without_duplicates(digit, [*digit.alternatives, other]))


def combine(views: Sequence[DetectedDigit], logits: Floats) -> ClassifiedDigit:
    """Average the probabilities of several segmentations.

    Each is weighted by the square of its largest probability, as what is no digit, or a piece of
    one, is rarely like a class; and by the cube root of its score, as a piece of a line is like a
    1. Both powers were chosen on held-out digits.

    Args:
        logits: (V, C), of each segmentation.
    """
    if len(views) == 1:
        return ClassifiedDigit(views[0], logits[0])
    log_shares = log_softmax(logits, axis=1)
    log_scores = np.log([max(view.score, LEAST_SCORE) for view in views])
    log_weights = 2 * log_shares.max(axis=1) + log_scores / 3
    weighted = log_shares + log_weights[:, None]
    mean = logsumexp(weighted, axis=0) - logsumexp(log_weights)
    best = views[int(weighted[:, mean.argmax()].argmax())]
    return ClassifiedDigit(replace(best, alternatives=()), mean)
