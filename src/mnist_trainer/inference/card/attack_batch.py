"""The attacks on one batch of images, and what shows that they were blind."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mnist_trainer.data.batches import stream_seed
from mnist_trainer.training.adversary import (
    LogitsOf,
    allowed_range,
    fgsm,
    input_gradient,
    is_correct,
    margin,
    maximize_loss,
    pgd,
)

ImageAttack = Callable[[Tensor, Tensor], Tensor]
"""Pixels (N, 1, 28, 28) and labels (N,) to the attacked pixels."""

EXAMPLES_BY_EPSILON = 2
NOISE_DRAWS = 5


@dataclass(frozen=True)
class AttackExample:
    """An image that PGD turned into one that is misclassified."""

    index: int
    """Among the images that were given."""
    label: int
    predicted: int
    epsilon: float
    original: Tensor
    """float32, (28, 28), 0 to 1, on the CPU."""
    attacked: Tensor
    """float32, (28, 28), 0 to 1, on the CPU."""


def step_size(epsilon: float, steps: int) -> float:
    """2.5 epsilon / steps (Madry et al. 2018, section 5), and at most what makes 0.01 of 50 steps,
    as is usual for MNIST."""
    return min(2.5 * epsilon, 0.5) / steps


@dataclass(frozen=True)
class AttackPlan:
    """How every batch is attacked."""

    epsilons: tuple[float, ...]
    steps: int
    restarts: int
    seed: int


@dataclass(frozen=True)
class BatchScores:
    """What the attacks on one batch came to."""

    fgsm: Tensor
    """int64, (number of epsilons,): images that were classified correctly."""
    pgd: Tensor
    counts: Counter[str]
    """Images for which each of ``CHECKS`` holds."""
    examples: tuple[AttackExample, ...]


def attack_batch(
    logits_of: LogitsOf, pixels: Tensor, labels: Tensor, first: int, plan: AttackPlan
) -> BatchScores:
    """Attack a batch at each epsilon, the smallest first."""
    correct = is_correct(logits_of, pixels, labels)
    batch = Batch(logits_of, pixels, labels)
    by_fgsm, by_pgd = correct, correct
    counts = Counter({"no_gradient": int((correct & ~batch.has_gradient()).sum())})
    results, examples = [], []
    for number, epsilon in enumerate(plan.epsilons):
        if epsilon > 0:
            attack = partial(
                pgd,
                logits_of,
                epsilon=epsilon,
                steps=plan.steps,
                step_size=step_size(epsilon, plan.steps),
                restarts=plan.restarts,
                generator=_generator(plan.seed, first, number),
            )
            by_fgsm, _ = batch.survivors(by_fgsm, partial(fgsm, logits_of, epsilon=epsilon))
            before, (by_pgd, attacked) = by_pgd, batch.survivors(by_pgd, attack)
            examples += batch.examples(before & ~by_pgd, attacked, epsilon, first)
            missed = int((by_pgd & ~by_fgsm).sum())
            counts["missed_fgsm"] = max(counts["missed_fgsm"], missed)
        results.append((by_fgsm.sum(), by_pgd.sum()))
    counts += batch.missed(by_pgd, plan, _generator(plan.seed, first, len(plan.epsilons)))
    of_fgsm, of_pgd = zip(*results, strict=True)
    return BatchScores(torch.stack(of_fgsm), torch.stack(of_pgd), counts, tuple(examples))


@dataclass(frozen=True)
class Batch:
    """Images to attack."""

    logits_of: LogitsOf
    pixels: Tensor
    """float32, (N, 1, 28, 28), 0 to 1."""
    labels: Tensor
    """int64, (N,)."""

    def has_gradient(self) -> Tensor:
        """Whether the gradient of the loss by any pixel is not exactly zero: bool, (N,)."""
        gradient = input_gradient(self.logits_of, self.pixels, self.labels)
        return gradient.flatten(1).abs().amax(dim=1) > 0

    def survivors(self, standing: Tensor, attack: ImageAttack) -> tuple[Tensor, Tensor]:
        """Attack some of the images.

        Args:
            standing: bool, (N,): the images to attack.

        Returns:
            Which of them are still classified correctly, bool, (N,); and all images, those as the
            attack left them.
        """
        if not bool(standing.any()):
            return standing, self.pixels
        attacked, still = self.pixels.clone(), standing.clone()
        attacked[standing] = attack(self.pixels[standing], self.labels[standing])
        still[standing] = is_correct(self.logits_of, attacked[standing], self.labels[standing])
        return still, attacked

    def missed(
        self, standing: Tensor, plan: AttackPlan, generator: torch.Generator
    ) -> Counter[str]:
        """How many of the images that PGD left standing at the largest epsilon are fooled by other
        means, and how many by none."""
        epsilon = plan.epsilons[-1]
        size = step_size(epsilon, plan.steps)

        def noise(pixels: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001
            return allowed_range(pixels, epsilon).sample(generator)

        def along_margin(
            pixels: Tensor, labels: Tensor, largest: float = epsilon, size: float = size
        ) -> Tensor:
            allowed = allowed_range(pixels, largest)
            return maximize_loss(
                self.logits_of,
                allowed.sample(generator),
                labels,
                allowed,
                steps=plan.steps,
                step_size=size,
                loss=margin,
            )

        after_noise = standing
        for _ in range(NOISE_DRAWS):
            after_noise, _ = self.survivors(after_noise, noise)
        after_margin, _ = self.survivors(standing, along_margin)
        unbounded, _ = self.survivors(
            after_margin, partial(along_margin, largest=1.0, size=2.5 / plan.steps)
        )
        return Counter(
            missed_noise=int((standing & ~after_noise).sum()),
            missed_margin=int((standing & ~after_margin).sum()),
            missed_unbounded=int(unbounded.sum()),
        )

    def examples(
        self, fooled: Tensor, attacked: Tensor, epsilon: float, first: int
    ) -> list[AttackExample]:
        """The first of the images that were fooled."""
        indexes = fooled.nonzero().flatten()[:EXAMPLES_BY_EPSILON]
        with torch.no_grad():
            predicted = self.logits_of(attacked[indexes]).argmax(dim=1) if len(indexes) else indexes
        return [
            AttackExample(
                index=first + index,
                label=int(self.labels[index]),
                predicted=answer,
                epsilon=epsilon,
                original=self.pixels[index, 0].cpu(),
                attacked=attacked[index, 0].cpu(),
            )
            for index, answer in zip(indexes.tolist(), predicted.tolist(), strict=True)
        ]


def _generator(*parts: int) -> torch.Generator:
    """A generator on the CPU, so that the numbers are the same on every device."""
    return torch.Generator().manual_seed(stream_seed(*parts))
