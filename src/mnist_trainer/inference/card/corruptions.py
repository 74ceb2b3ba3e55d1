"""Accuracy under the fifteen corruptions of MNIST-C, at five strengths."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.data.corruptions.apply import (
    CORRUPTIONS,
    PUBLISHED_STRENGTH,
    STRENGTHS,
    corrupt,
)
from mnist_trainer.inference.card.published import CORRUPTIONS_MEAN
from mnist_trainer.inference.card.subject import Begin, Subject, accuracy, correct_predictions

STEPS = len(CORRUPTIONS)
OPTION = "kinds"
"""Of the transform that corrupts training images: those that it may draw."""


def score_corruptions(subject: Subject, begin: Begin) -> dict[str, Any]:
    """Each corruption at each strength, and the means at the published strength.

    The interval of a mean treats images as independent, and the corruptions of one image as one
    observation.
    """
    images = subject.spaced(subject.effort.corrupted)
    seen = trained_with(subject)
    kinds, published = [], {}
    for name in CORRUPTIONS:
        begin(f"corruption {name}")
        curve = []
        for strength in STRENGTHS:
            change = partial(_corrupt, name, strength, subject.seed)
            correct = correct_predictions(subject.trained, images, change)
            curve.append({"strength": strength, **accuracy(int(correct.sum()), len(correct))})
            if strength == PUBLISHED_STRENGTH[name]:
                published[name] = correct
        kinds.append(
            {
                "name": name,
                "published_strength": PUBLISHED_STRENGTH[name],
                "seen_in_training": name in seen,
                **accuracy(int(published[name].sum()), len(images)),
                "strengths": curve,
            }
        )
    mean = {**mean_accuracy(published), "published": CORRUPTIONS_MEAN}
    values: dict[str, Any] = {"images": len(images), "kinds": kinds, "mean": mean}
    unseen = {name: correct for name, correct in published.items() if name not in seen}
    if seen and unseen:
        values["mean_unseen"] = {**mean_accuracy(unseen), "kinds": list(unseen)}
    return values


def _corrupt(name: str, strength: int, seed: int, images: Tensor, first: int) -> Tensor:
    return corrupt(images, name, strength, seed=seed, first=first)


def mean_accuracy(correct: dict[str, Tensor]) -> dict[str, Any]:
    """Mean accuracy over corruptions of the same images, with a normal interval over images.

    Args:
        correct: bool, (N,), by corruption.
    """
    by_image = torch.stack(list(correct.values())).double().mean(dim=0)
    mean = float(by_image.mean())
    sd = float(by_image.std()) if len(by_image) > 1 else 0.0
    half = 1.959964 * sd / math.sqrt(len(by_image))
    interval = [max(0.0, mean - half), min(1.0, mean + half)]
    return {"accuracy": mean, "accuracy_interval_95": interval}


def trained_with(subject: Subject) -> set[str]:
    """The corruptions that the run's training images were changed with."""
    found: set[str] = set()
    for transform in subject.trained.config.transforms.random:
        if transform.target.rpartition(".")[2] == "RandomCorruption":
            found |= set(transform.node.get(OPTION, ()))
    return found
