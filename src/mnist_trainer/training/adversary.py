"""Adversarial examples under an L-infinity bound: FGSM and PGD.

FGSM: Goodfellow, Shlens and Szegedy, Explaining and harnessing adversarial examples (ICLR 2015),
section 4. PGD: Madry et al., Towards deep learning models resistant to adversarial attacks (ICLR
2018), section 2.1. Margin loss: Carlini and Wagner, Towards evaluating the robustness of neural
networks (2017), f6; its gradient does not vanish where the softmax is saturated.

All functions are pure: they build no graph that outlives them, and leave the gradients of the
parameters alone. The mode of the network is the caller's: an attack is meant for evaluation mode.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_trainer.models.losses import at_least_float32

LogitsOf = Callable[[Tensor], Tensor]
"""Images (N, 1, H, W) to logits (N, C), differentiably."""
AttackLoss = Callable[[Tensor, Tensor], Tensor]
"""Logits (N, C) and labels (N,) to a sum over the images, so that none scales another's."""


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy, summed over the images."""
    return F.cross_entropy(at_least_float32(logits), labels, reduction="sum")


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Largest logit of another class minus that of the label, summed over the images."""
    own = logits.gather(1, labels.unsqueeze(1)).squeeze(1)  # (N,)
    is_label = F.one_hot(labels, logits.shape[1]).bool()
    return (logits.masked_fill(is_label, -torch.inf).amax(dim=1) - own).sum()


@dataclass(frozen=True)
class AllowedRange:
    """What each pixel may become."""

    lower: Tensor
    """(N, 1, H, W)."""
    upper: Tensor
    """(N, 1, H, W)."""

    def project(self, images: Tensor) -> Tensor:
        """The nearest images that are allowed."""
        return images.clamp(self.lower, self.upper)

    def sample(self, generator: torch.Generator) -> Tensor:
        """Images drawn uniformly; the numbers come from the generator's own device."""
        shape, dtype = self.lower.shape, self.lower.dtype
        numbers = torch.rand(shape, generator=generator, device=generator.device, dtype=dtype)
        return self.at(numbers.to(self.lower.device))

    def at(self, shares: Tensor) -> Tensor:
        """Images at these shares, 0 to 1, of the way from ``lower`` to ``upper``."""
        return self.lower + shares * (self.upper - self.lower)


def allowed_range(
    images: Tensor, epsilon: float, low: float = 0.0, high: float = 1.0
) -> AllowedRange:
    """Pixels within ``epsilon`` of the images, and within ``low`` to ``high``; a pixel that lies
    outside already may stay where it is."""
    lower = torch.minimum((images - epsilon).clamp(min=low), images)
    upper = torch.maximum((images + epsilon).clamp(max=high), images)
    return AllowedRange(lower, upper)


def input_gradient(
    logits_of: LogitsOf, images: Tensor, labels: Tensor, loss: AttackLoss = cross_entropy
) -> Tensor:
    """Gradient of the loss of each image by its pixels, (N, 1, H, W); zero where the logits do not
    depend on the images differentiably, or where it is not a number."""
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = logits_of(leaf)
        if not logits.requires_grad:
            return torch.zeros_like(images)
        (gradient,) = torch.autograd.grad(loss(logits, labels), leaf, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient.nan_to_num()


def maximize_loss(
    logits_of: LogitsOf,
    start: Tensor,
    labels: Tensor,
    allowed: AllowedRange,
    *,
    steps: int,
    step_size: float,
    loss: AttackLoss = cross_entropy,
) -> Tensor:
    """Follow the sign of the gradient, projecting after each step: PGD from given images.

    Args:
        start: (N, 1, H, W), allowed ones.
        step_size: change of each pixel in a step, in the unit of the images.
    """
    images = start.detach()
    for _ in range(steps):
        gradient = input_gradient(logits_of, images, labels, loss)
        images = allowed.project(images + step_size * gradient.sign())
    return images


def fgsm(logits_of: LogitsOf, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """One step of ``epsilon`` along the sign of the gradient, from the images themselves.

    Args:
        logits_of: pixels 0..1 to logits, of a network in evaluation mode.
        images: float32, (N, 1, H, W), 0 to 1.
        labels: int64, (N,).
        epsilon: largest change of a pixel.
    """
    allowed = allowed_range(images, epsilon)
    return maximize_loss(logits_of, images, labels, allowed, steps=1, step_size=epsilon)


RESTART_LOSSES: tuple[AttackLoss, ...] = (cross_entropy, margin)
"""What the restarts of an attack maximize, in turns."""


def pgd(
    logits_of: LogitsOf,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    steps: int,
    step_size: float,
    restarts: int,
    generator: torch.Generator,
) -> Tensor:
    """Projected gradient ascent from random starts; each restart goes on with those images alone
    that are still classified correctly.

    Args: those of ``fgsm``, and
        restarts: attempts for an image; they maximize ``RESTART_LOSSES`` in turns.
        generator: of the random starts.

    Returns:
        For each image the first result that is misclassified, which may be the image itself; else
        the result of the last restart.
    """
    found = images.detach().clone()
    standing = is_correct(logits_of, images, labels).nonzero().flatten()
    for number in range(restarts):
        if not len(standing):
            break
        allowed = allowed_range(images[standing], epsilon)
        attacked = maximize_loss(
            logits_of,
            allowed.sample(generator),
            labels[standing],
            allowed,
            steps=steps,
            step_size=step_size,
            loss=RESTART_LOSSES[number % len(RESTART_LOSSES)],
        )
        found[standing] = attacked
        standing = standing[is_correct(logits_of, attacked, labels[standing])]
    return found


@torch.no_grad()
def is_correct(logits_of: LogitsOf, images: Tensor, labels: Tensor) -> Tensor:
    """Whether each image is classified as its label: bool, (N,)."""
    if not len(labels):
        return torch.ones(0, dtype=torch.bool, device=labels.device)
    correct: Tensor = logits_of(images).argmax(dim=1) == labels
    return correct
