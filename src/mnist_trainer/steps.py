"""One training step: a small function of model, images and labels."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from mnist_trainer.device import Device


class Exchange(Protocol):
    """Sums what a step of each of several processes has come to."""

    def __call__(self, loss: Tensor, correct: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Loss and right answers of all images; gradients are summed where they are. ``share`` is this process's of them."""
        ...


@dataclass(frozen=True)
class StepOutcome:
    """What a step leaves on the device; reading any of it waits for the device."""

    loss: Tensor
    """Mean over the images of the step, a scalar."""
    correct: Tensor
    """How many images were classified rightly, a scalar."""
    gradient_norm: Tensor | None
    """Joint L2 norm of all gradients before clipping, where it was asked for or needed."""
    finite: Tensor
    """Whether loss and gradients were finite, a boolean scalar."""


def train_step(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: Optimizer,
    scaler: GradScaler,
    device: Device,
    images: Tensor,
    labels: Tensor,
    *,
    batch_size: int,
    clip_norm: float | None = None,
    measure_norm: bool = False,
    total: int | None = None,
    exchange: Exchange | None = None,
) -> StepOutcome:
    """Forward, backward and update.

    The images go through in batches of ``batch_size``, whose gradients add up to that of the mean loss over all of
    them. Gradients that are not finite never reach the weights: on the CPU the update is left out, elsewhere they
    become zero, because to look at them would mean to wait for them; the caller must read ``finite`` before it saves.

    Args:
        images: (N, 1, 28, 28), transformed.
        labels: (N,).
        clip_norm: larger gradients are scaled down to this joint L2 norm.
        measure_norm: measure the norm even where nothing is clipped.
        total: images of the update in all processes together, where there are several.
        exchange: sums gradients, loss and right answers over the processes.
    """
    optimizer.zero_grad(set_to_none=True)
    total = len(labels) if total is None else total
    loss, correct = _accumulate_gradients(model, criterion, scaler, device, images, labels, batch_size, total)
    if exchange is not None:
        loss, correct = exchange(loss, correct, len(labels) / total)
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm = joint_norm(gradients) if measure_norm or clip_norm is not None else None
    finite = _all_finite(loss, gradients if norm is None else [*gradients, norm])
    if scaler.is_enabled():
        # The scaler itself skips an update whose gradients overflowed, and lowers its scale: that is no error in fp16.
        finite = loss.isfinite()
    elif device.type != "cpu":
        for gradient in gradients:
            gradient.masked_fill_(~finite, 0)
    elif not finite:
        return StepOutcome(loss, correct, norm, finite)
    if clip_norm is not None and norm is not None:
        shrink = (clip_norm / (norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(shrink)
    scaler.step(optimizer)
    scaler.update()
    return StepOutcome(loss, correct, norm, finite)


def _accumulate_gradients(
    model: nn.Module,
    criterion: nn.Module,
    scaler: GradScaler,
    device: Device,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    total: int,
) -> tuple[Tensor, Tensor]:
    """Mean loss, weighed by the share in ``total`` images, and number of right answers; gradients are left in the parameters."""
    if not len(labels):
        return torch.zeros((), device=images.device), torch.zeros((), device=images.device, dtype=torch.int64)
    outcomes = []
    for batch, batch_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        with device.autocast():
            logits = model(batch)  # (B, C)
            loss = criterion(logits, batch_labels)
        share = len(batch_labels) / total
        loss = loss if share == 1 else loss * share
        scaler.scale(loss).backward()
        outcomes.append((loss.detach(), count_correct(logits.detach(), batch_labels)))
    if len(outcomes) == 1:
        return outcomes[0]
    losses, rights = zip(*outcomes, strict=True)
    return torch.stack(losses).sum(), torch.stack(rights).sum()


def joint_norm(gradients: list[Tensor]) -> Tensor:
    """L2 norm of all gradients as one vector: a scalar on the device.

    PyTorch's own, in ``torch.nn.utils``, would load all of its distributed tensors first.
    """
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    joint: Tensor = torch.linalg.vector_norm(norms)
    return joint


def _all_finite(loss: Tensor, gradients: list[Tensor]) -> Tensor:
    """Whether everything is finite: one sum for each tensor, because NaN and infinity survive addition."""
    sums = [gradient.sum() for gradient in gradients]
    return torch.stack([loss.to(torch.float32), *sums]).sum().isfinite()


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many rows of logits (N, C) are largest at their label (N,): a scalar on the device."""
    return (logits.argmax(dim=1) == labels).sum()
