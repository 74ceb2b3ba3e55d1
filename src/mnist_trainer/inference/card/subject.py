"""What the parts of a card are computed of: a network, its test images, and the effort."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.card.parts import Effort
from mnist_trainer.inference.scoring.metrics import Floats
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.training.accumulators import count_correct

CHUNK = 2_000
"""Images that are changed and looked at together: bounds the memory."""
Begin = Callable[[str], None]
"""Is told each step of a part as it begins."""


@dataclass(frozen=True)
class Subject:
    """A trained network and the images that it is scored with."""

    trained: TrainedModel
    settings: DataSettings
    """Of the run's own data."""
    test: LabelledImages
    effort: Effort
    seed: int = 0
    """Of all random numbers of the card."""

    @cached_property
    def logits(self) -> Tensor:
        """Logits of all test images, float32, (N, C)."""
        return self.trained.logits(self.test.images)

    @cached_property
    def probabilities(self) -> Floats:
        """Not calibrated, of all test images: float64, (N, C)."""
        return self.logits.double().softmax(dim=1).numpy()

    @cached_property
    def correct(self) -> "np.ndarray[Any, np.dtype[np.bool_]]":
        """Which test images are classified correctly: bool, (N,)."""
        return (self.logits.argmax(dim=1) == self.test.labels).numpy()

    def spaced(self, count: int) -> LabelledImages:
        """So many test images, evenly spaced: the first half of MNIST's is easier than the
        second."""
        return self.test.select(spaced_indexes(len(self.test), count))


def spaced_indexes(total: int, count: int) -> Tensor:
    """At most ``count`` indexes of ``total``, evenly spaced, the first among them: int64."""
    count = min(count, total)
    return torch.arange(count) * total // max(1, count)


def num_correct(
    trained: TrainedModel, images: LabelledImages, change: Callable[[Tensor, int], Tensor]
) -> int:
    """Correct predictions on changed images, a chunk at a time.

    Args:
        change: a chunk of images, uint8 (n, 1, 28, 28), and the index of its first, to such images.
    """
    return int(correct_predictions(trained, images, change).sum())


def correct_predictions(
    trained: TrainedModel, images: LabelledImages, change: Callable[[Tensor, int], Tensor]
) -> Tensor:
    """Which changed images are classified correctly: bool, (N,); arguments of ``num_correct``."""
    found = []
    for first in range(0, len(images), CHUNK):
        part = slice(first, first + CHUNK)
        logits = trained.logits(change(images.images[part], first))
        found.append(logits.argmax(dim=1) == images.labels[part])
    return torch.cat(found)


def accuracy_of(trained: TrainedModel, images: LabelledImages) -> dict[str, Any]:
    """Accuracy on images as they are, with its interval."""
    return accuracy(int(count_correct(trained.logits(images.images), images.labels)), len(images))


def accuracy(correct: int, images: int) -> dict[str, Any]:
    """A count of correct predictions as it stands in evaluation-card.json."""
    return {
        "correct": correct,
        "images": images,
        "accuracy": correct / images,
        "accuracy_interval_95": list(wilson_interval(correct, images)),
    }


def percentiles(values: Sequence[float] | Floats) -> tuple[float, float]:
    """The 2.5th and the 97.5th percentile."""
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
