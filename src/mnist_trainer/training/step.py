"""One training step: a small function of model, images and labels, and of the engine that computes
the gradients."""

import contextlib
import functools
import threading
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from mnist_trainer.compute.device import Device
from mnist_trainer.training.accumulators import BatchPredictions


class AllReduce(Protocol):
    """Sums what a step of each of several processes has come to."""

    def __call__(self, loss: Tensor, correct: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Loss and right answers of all images; gradients are summed where they are. ``share`` is
        this process's of them."""
        ...


@dataclass(frozen=True)
class StepOutput:
    """What a step leaves on the device; reading any of it waits for the device."""

    loss: Tensor
    """Mean over the images of the step, a scalar."""
    right: BatchPredictions | Tensor
    """The answers to its images; where several processes make the step, the number of right ones in
    all, a scalar."""
    gradient_norm: Tensor | None
    """Joint L2 norm of all gradients before clipping, where it was asked for or needed."""
    finite: Tensor | bool
    """Whether loss and gradients were finite; a boolean scalar on the device, where to know means
    to wait for it."""


class Engine(Protocol):
    """What computes the loss and its gradients."""

    def backpropagate(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Forward and backward pass of a batch: add its gradients to those that the parameters
        hold.

        Args:
            images: (B, 1, H, W), transformed.
            labels: (B,).
            share: of the batch in its update; the loss, and so each gradient, is multiplied by it.

        Returns:
            The mean loss times ``share``, a scalar of its own memory, and the logits (B, C):
            neither knows a graph.
        """
        ...


@dataclass(frozen=True)
class AutogradEngine:
    """PyTorch's automatic differentiation: for any model and any loss."""

    model: nn.Module
    criterion: nn.Module
    scaler: GradScaler
    device: Device

    def backpropagate(self, images: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
        with self.device.autocast():
            logits = self.model(images)  # (B, C)
            loss = self.criterion(logits, labels)
        loss = loss if share == 1 else loss * share
        self.scaler.scale(loss).backward()
        return loss.detach(), logits.detach()


def train_step(
    engine: Engine,
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
    exchange: AllReduce | None = None,
) -> StepOutput:
    """Forward, backward and update.

    The images go through in batches of ``batch_size``, whose gradients add up to that of the mean
    loss over all of them. Gradients that are not finite never reach the weights: on the CPU the
    update is left out, elsewhere they become zero, because to look at them would mean to wait for
    them; the caller must read ``finite`` before it saves.

    Args:
        engine: computes the gradients of the model.
        images: (N, 1, 28, 28), transformed.
        labels: (N,).
        clip_norm: larger gradients are scaled down to this joint L2 norm.
        measure_norm: measure the norm even where nothing is clipped.
        total: images of the update in all processes together, where there are several.
        exchange: sums gradients, loss and right answers over the processes.
    """
    trained = _trained(optimizer)
    for parameter in trained:
        parameter.grad = None
    total = len(labels) if total is None else total
    loss, answers = _accumulate_gradients(engine, images, labels, batch_size, total)
    right: BatchPredictions | Tensor = answers
    if exchange is not None:
        loss, right = exchange(loss, answers.count(), len(labels) / total)
    scaler.unscale_(optimizer)
    gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
    norm = global_grad_norm(gradients) if measure_norm or clip_norm is not None else None
    finite = mask_nonfinite_gradients(loss, gradients, norm, scaler, device)
    if finite is not False:
        if clip_norm is not None and norm is not None:
            _clip(gradients, norm, clip_norm)
        scaler.step(optimizer)
        scaler.update()
    return StepOutput(loss, right, norm, finite)


def _accumulate_gradients(
    engine: Engine, images: Tensor, labels: Tensor, batch_size: int, total: int
) -> tuple[Tensor, BatchPredictions]:
    """Mean loss, weighed by the share in ``total`` images, and the answers; gradients are left in
    the parameters."""
    if not len(labels):
        return torch.zeros((), device=images.device), BatchPredictions(labels, labels)
    if len(labels) <= batch_size:
        loss, logits = engine.backpropagate(images, labels, len(labels) / total)
        return loss, BatchPredictions.of(logits, labels)
    losses, predicted = [], []
    for batch, batch_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        loss, logits = engine.backpropagate(batch, batch_labels, len(batch_labels) / total)
        losses.append(loss)
        predicted.append(logits.argmax(dim=1))
    return torch.stack(losses).sum(), BatchPredictions(torch.cat(predicted), labels)


def _trained(optimizer: Optimizer) -> list[Tensor]:
    """The parameters as the optimizer lists them: to walk through the modules of an FCN would take
    19 µs a step."""
    return list(chain.from_iterable(group["params"] for group in optimizer.param_groups))


def mask_nonfinite_gradients(
    loss: Tensor, gradients: list[Tensor], norm: Tensor | None, scaler: GradScaler, device: Device
) -> Tensor | bool:
    """Whether loss and gradients are finite; where that is known to the device alone, those that
    are not become zero."""
    if scaler.is_enabled():
        # The scaler itself skips an update whose gradients overflowed, and lowers its scale: that
        # is no error in fp16.
        gradients, norm = [], None
    finite = _all_finite(loss, gradients if norm is None else [*gradients, norm], device)
    if isinstance(finite, Tensor):
        for gradient in gradients:
            gradient.masked_fill_(~finite, 0)
    return finite


def _clip(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale all gradients by one factor, so that their joint norm is at most the limit."""
    shrink = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(shrink)


def global_grad_norm(gradients: list[Tensor]) -> Tensor:
    """L2 norm of all gradients as one vector: a scalar on the device.

    PyTorch's own, in ``torch.nn.utils``, would load all of its distributed tensors first.
    """
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    joint: Tensor = torch.linalg.vector_norm(norms)
    return joint


def _all_finite(loss: Tensor, others: list[Tensor], device: Device) -> Tensor | bool:
    """Whether everything is finite: a boolean scalar on the device, or at once where the device is
    this processor.

    By the kernel that PyTorch's ``GradScaler`` looks through its gradients with, several times as
    quick as a sum of each: it multiplies by one on its way, and tells what is not finite. It takes
    neither sparse nor complex tensors. Each operation more costs 10 to 15 µs between the large ones
    of a step, whose code has pushed its own out of the caches.
    """
    looked_through = [loss if loss.dtype == torch.float32 else loss.to(torch.float32), *others]
    with contextlib.suppress(NotImplementedError):
        if device.type == "cpu":
            return _HERE.all_finite(looked_through)
        if device.type == "cuda":
            found = torch.zeros((), dtype=torch.float32, device=loss.device)
            torch._amp_foreach_non_finite_check_and_unscale_(
                looked_through, found, _one(loss.device)
            )
            return found.logical_not()
    # NaN and infinity survive addition.
    finite = torch.stack([tensor.sum().isfinite() for tensor in looked_through]).all()
    return bool(finite) if device.type == "cpu" else finite


@functools.cache
def _one(device: torch.device) -> Tensor:
    """The scale that changes nothing; made before any step is recorded, and kept."""
    return torch.ones((), dtype=torch.float32, device=device)


class _Here(threading.local):
    """What the look through tensors on the CPU writes to, kept from step to step; each thread has
    its own."""

    def __init__(self) -> None:
        self.one = torch.ones((), dtype=torch.float32)
        self.found = torch.zeros((), dtype=torch.float32)

    def all_finite(self, tensors: list[Tensor]) -> bool:
        try:
            torch._amp_foreach_non_finite_check_and_unscale_(tensors, self.found, self.one)
            return self.found.item() == 0
        finally:
            # The kernel may have found something before it came to a tensor that it does not take.
            if self.found.item():
                self.found.zero_()


_HERE = _Here()
