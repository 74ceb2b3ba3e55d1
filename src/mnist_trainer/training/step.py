"""One training step: forward, backward, all-reduce and update."""

from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import torch
from torch import Tensor

from mnist_trainer.compute.device import Device
from mnist_trainer.training.accumulators import count_correct
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.state import TrainingState


class Engine(Protocol):
    """Computes the loss and its gradients."""

    def backpropagate(
        self, images: Tensor, labels: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Forward and backward pass of a batch: add its gradients to those of the parameters.

        Args:
            images: (B, 1, H, W), transformed.
            labels: (B,).
            loss_weight: factor of the loss, and so of each gradient: the batch's share of the
                images of the update.

        Returns:
            The weighted mean loss, a scalar, and the logits (B, C): both detached, in memory of
            their own.
        """
        ...


class AllReduce(Protocol):
    """Sums the results of a step over the processes of a run."""

    def __call__(
        self, loss: Tensor, num_correct: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Return loss and number of correct predictions over all images; sum gradients in place."""
        ...


@dataclass(frozen=True)
class StepOutput:
    """Results of a step, on the device: reading any of them waits for it."""

    loss: Tensor
    """Mean over the images of the step, a scalar."""
    gradient_norm: Tensor | None
    """Global L2 norm of the gradients before clipping, where it was measured."""


class Step(Protocol):
    """Makes one update from images (N, 1, H, W) and labels (N,)."""

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        """Train on the images; the next step may overwrite the output."""
        ...


@dataclass(frozen=True)
class TrainStep:
    """An update of the weights, their moving average and the metrics, operation by operation."""

    state: TrainingState
    engine: Engine
    device: Device
    detector: NonFiniteDetector
    batch_size: int
    """Images of a forward pass; the gradients of several passes add up to one update."""
    clip_norm: float | None = None
    """Largest global L2 norm of the gradients."""
    all_reduce: AllReduce | None = None

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        output = self.compute(images, labels, measure_norm)
        self.count(len(labels))
        return output

    def compute(
        self, images: Tensor, labels: Tensor, measure_norm: bool, total: int | None = None
    ) -> StepOutput:
        """Make the part of the update that runs on the device, and that a CUDA graph can replay.

        Args:
            images: (N, 1, H, W), transformed.
            labels: (N,).
            measure_norm: measure the gradient norm even where nothing is clipped.
            total: images of the update in all processes together; None: those given.
        """
        state, total = self.state, len(labels) if total is None else total
        # As the optimizer lists them: walking through the modules of an FCN takes 19 µs.
        parameters = list(chain.from_iterable(g["params"] for g in state.optimizer.param_groups))
        for parameter in parameters:
            parameter.grad = None
        loss, logits = self._backpropagate(images, labels, total)
        if self.all_reduce is None:
            state.interval_accumulator.accumulate_batch(loss, logits, labels)
        else:
            num_correct = count_correct(logits, labels)
            loss, num_correct = self.all_reduce(loss, num_correct, len(labels) / total)
            state.interval_accumulator.accumulate(loss, num_correct, total)
        state.scaler.unscale_(state.optimizer)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        norm = None
        if measure_norm or self.clip_norm is not None:
            norm = global_grad_norm(gradients)
        if norm is not None and self.clip_norm is not None:
            clip_gradients(gradients, norm, self.clip_norm)
        self._reject_nonfinite(loss, gradients, norm)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        if state.ema is not None:
            state.ema.update(state.model)
        return StepOutput(loss, norm)

    def count(self, num_images: int) -> None:
        """Make the part of the update that runs on the host: numbers that a graph would freeze."""
        self.state.interval_accumulator.count += num_images
        if self.state.ema is not None:
            self.state.ema.n_averaged += 1

    def _backpropagate(self, images: Tensor, labels: Tensor, total: int) -> tuple[Tensor, Tensor]:
        """Leave the gradients in the parameters; return the loss, weighted by the share of the
        images in ``total``, and the logits."""
        if len(labels) > self.batch_size:
            batches = zip(images.split(self.batch_size), labels.split(self.batch_size), strict=True)
            outputs = [self._backpropagate(*batch, total) for batch in batches]
            losses, logits = zip(*outputs, strict=True)
            return torch.stack(losses).sum(), torch.cat(logits)
        if not len(labels):
            return torch.zeros((), device=images.device), torch.zeros((0, 1), device=images.device)
        return self.engine.backpropagate(images, labels, len(labels) / total)

    def _reject_nonfinite(self, loss: Tensor, gradients: list[Tensor], norm: Tensor | None) -> None:
        if self.state.scaler.is_enabled():
            # In fp16 gradients may overflow: the scaler skips the update and lowers its scale.
            self.detector.check(loss, [])
            return
        self.detector.check(loss, gradients if norm is None else [*gradients, norm])
        self.detector.mask_gradients(gradients)


def global_grad_norm(gradients: list[Tensor]) -> Tensor:
    """L2 norm of all gradients as one vector, a scalar on the device.

    ``torch.nn.utils.get_total_norm`` would import all of PyTorch's distributed tensors first.
    """
    norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
    norm: Tensor = torch.linalg.vector_norm(norms)
    return norm


def clip_gradients(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale all gradients in place by one factor, so that their global norm is within the limit."""
    factor = (limit / (norm + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)
