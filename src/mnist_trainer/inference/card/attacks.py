"""Accuracy under attack against the size of the allowed change, and whether it can be trusted.

An attack that finds nothing proves little: it may be blind. What gives a blind one away follows
Athalye, Carlini and Wagner, Obfuscated gradients give a false sense of security (2018), section
3.1, and Carlini et al., On evaluating adversarial robustness (2019), section 5.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.inference.card.attack_batch import (
    AttackExample,
    AttackPlan,
    BatchScores,
    attack_batch,
    step_size,
)
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.training.adversary import LogitsOf
from mnist_trainer.training.evaluation import averaged_logits

BATCH_SIZE = 250
"""Images that are attacked together: bounds the memory, and is part of what the seed means."""
MOST_EXAMPLES = 12

MOST_MISSED = 0.05
"""Share of the images for which each of ``CHECKS`` may hold by accident ..."""
MOST_MISSED_IMAGES = 2
"""... and their number, where there are few."""


@dataclass(frozen=True)
class AttackScores:
    """Correct predictions under FGSM and PGD, by epsilon."""

    images: int
    epsilons: tuple[float, ...]
    """In pixel units, 0 to 1, ascending."""
    fgsm: tuple[int, ...]
    """Correct predictions at each epsilon."""
    pgd: tuple[int, ...]
    steps: int
    restarts: int
    seed: int
    masked: str | None
    """Why the gradients are not to be trusted, so that ``pgd`` does not show robustness; None where
    nothing speaks against them."""
    checks: dict[str, float]
    """Shares of the images that ``masked`` was judged by."""
    examples: tuple[AttackExample, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All numbers, as they stand in evaluation-card.json."""
        return {
            "images": self.images,
            "steps": self.steps,
            "restarts": self.restarts,
            "seed": self.seed,
            "step_sizes": [step_size(epsilon, self.steps) for epsilon in self.epsilons],
            "fgsm": list(self._curve(self.fgsm)),
            "pgd": list(self._curve(self.pgd)),
            "masked": self.masked,
            "checks": self.checks,
        }

    def _curve(self, correct: Sequence[int]) -> Iterator[dict[str, Any]]:
        for epsilon, count in zip(self.epsilons, correct, strict=True):
            yield {
                "epsilon": epsilon,
                "correct": count,
                "accuracy": count / self.images,
                "accuracy_interval_95": list(wilson_interval(count, self.images)),
            }


def score_attacks(
    trained: TrainedModel,
    images: Tensor,
    labels: Tensor,
    *,
    epsilons: Sequence[float],
    steps: int,
    restarts: int,
    seed: int,
) -> AttackScores:
    """Attack images with FGSM and PGD at every epsilon, in float32 and with the run's own views.

    An image that was fooled at a smaller epsilon counts as fooled at a larger one, where the same
    change is allowed, and is not attacked again: no accuracy rises with epsilon.

    Args:
        images: uint8, (N, 1, 28, 28), at least one.
        labels: int64, (N,).
        epsilons: largest changes of a pixel, on the scale 0..1; 0 is the clean image.
        steps: of PGD, for each restart; ``step_size`` gives their size.
        restarts: attempts for an image.
        seed: of the random starts; the same numbers on every device.
    """
    plan = AttackPlan(tuple(sorted(set(epsilons))), steps, restarts, seed)
    device = trained.device.torch_device
    batches = [
        attack_batch(_logits_of(trained), *batch, plan)
        for batch in _batches(images, labels, device)
    ]
    return _summarize(batches, plan, len(labels))


def _summarize(batches: Sequence[BatchScores], plan: AttackPlan, images: int) -> AttackScores:
    """Add up the counts of all batches."""
    counts: Counter[str] = sum((batch.counts for batch in batches), Counter())
    examples = [example for batch in batches for example in batch.examples]
    return AttackScores(
        images=images,
        epsilons=plan.epsilons,
        fgsm=tuple(torch.stack([batch.fgsm for batch in batches]).sum(dim=0).tolist()),
        pgd=tuple(torch.stack([batch.pgd for batch in batches]).sum(dim=0).tolist()),
        steps=plan.steps,
        restarts=plan.restarts,
        seed=plan.seed,
        masked=_why_masked(counts, images),
        checks={name: counts[name] / images for name in CHECKS},
        examples=tuple(examples[:MOST_EXAMPLES]),
    )


CHECKS = {
    "no_gradient": "for {share} of the images the gradient of the loss is exactly zero, as where"
    " the softmax is saturated or the network passes no gradient on: PGD has nothing to follow",
    "missed_fgsm": "FGSM, the weaker attack, fools {share} of the images that PGD does not",
    "missed_noise": "random noise fools {share} of the images that PGD does not",
    "missed_margin": "following the margin of the logits in place of the loss fools {share} of the"
    " images that PGD does not: the loss is saturated",
    "missed_unbounded": "{share} of the images withstand even an attack that may change every pixel"
    " to anything, which no network can: the gradients lead nowhere",
}
"""What speaks against the gradients, by the share of the images that it holds for."""


def _why_masked(counts: Counter[str], images: int) -> str | None:
    """The reasons why PGD's accuracy does not show robustness; None where there is none."""
    allowed = max(MOST_MISSED_IMAGES, MOST_MISSED * images)
    reasons = [
        text.format(share=f"{100 * counts[name] / images:.0f} %")
        for name, text in CHECKS.items()
        if counts[name] > allowed
    ]
    return "; ".join(reasons) or None


def _batches(
    images: Tensor, labels: Tensor, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Pixels 0..1, labels, and the number of the first image, a batch at a time."""
    for first in range(0, len(labels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        yield images[part].to(device).float() / 255, labels[part].to(device), first


def _logits_of(trained: TrainedModel) -> LogitsOf:
    """Pixels 0..1 (N, 1, 28, 28) to logits (N, C), with the views that the run's own test averages,
    in float32: rounding to fewer digits would only hide gradients."""

    def logits_of(pixels: Tensor) -> Tensor:
        prepared = trained.prepare(pixels)
        return averaged_logits(trained.model, prepared, trained.translations).float()

    return logits_of
