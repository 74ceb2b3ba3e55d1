"""Whether a network's probability tells errors, and images without a digit, from the rest."""

from typing import Any

import numpy as np
from torch import Tensor

from mnist_trainer.inference.card.auroc import auroc, risk_coverage
from mnist_trainer.inference.card.not_digits import KINDS, images_without_digits
from mnist_trainer.inference.card.published import ERROR_AUROC, UNKNOWN_AUROC
from mnist_trainer.inference.card.subject import CHUNK, Begin, Subject
from mnist_trainer.inference.scoring.metrics import Floats
from mnist_trainer.inference.trained_model import TrainedModel

STEPS = 1 + len(KINDS)
SHOWN = 10
"""Images of each kind in the picture."""


def score_unknown(subject: Subject, begin: Begin) -> tuple[dict[str, Any], Tensor]:
    """AUROC of the maximal softmax probability (Hendrycks and Gimpel 2017), not calibrated, and
    accuracy by share answered.

    Returns:
        The numbers; and the first images of each kind, uint8, (kinds, SHOWN, 28, 28).
    """
    begin("detection of errors")
    confidence, correct = subject.probabilities.max(axis=1), subject.correct
    found = auroc(confidence[correct], confidence[~correct])
    errors: dict[str, Any] = {"images": len(correct), "errors": int((~correct).sum())}
    errors |= {"skipped": "no error, or nothing else"} if found is None else found
    kinds, shown = [], []
    for kind in KINDS:
        begin(f"no digits: {kind}")
        images = images_without_digits(kind, subject)
        if isinstance(images, str):
            kinds.append({"name": kind, "skipped": images})
            continue
        other = confidences(subject.trained, images)
        values = {"name": kind, "images": len(images), **(auroc(confidence, other) or {})}
        values |= {"mean_confidence": float(other.mean())}
        kinds.append(values | {"published": UNKNOWN_AUROC.get(kind)})
        # Of the blank ones, which are sorted by brightness, from black to white.
        shown.append(images[np.linspace(0, len(images) - 1, SHOWN).astype(int), 0])
    return {
        "errors": errors | {"published": ERROR_AUROC},
        "kinds": kinds,
        "answered": risk_coverage(confidence, correct),
    }, _stack(shown)


def _stack(rows: list[Tensor]) -> Tensor:
    import torch

    return torch.stack([row.cpu() for row in rows])


def confidences(trained: TrainedModel, images: Tensor) -> Floats:
    """The maximal softmax probability of each image, not calibrated: float64, (N,)."""
    found = [
        trained.logits(chunk).double().softmax(dim=1).amax(dim=1).numpy()
        for chunk in images.split(CHUNK)
    ]
    return np.concatenate(found)
