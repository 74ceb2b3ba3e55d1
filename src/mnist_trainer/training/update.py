"""One update of the weights, with all that follows them: the moving average, the sums of the
metrics, the watch."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mnist_trainer.compute.device import Device
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import AllReduce, Engine, StepOutput, train_step


class NonFiniteDetector:
    """Remembers which step was the first that was not finite.

    Elsewhere than on the CPU it does so on the device: noting costs no wait, looking costs one.
    """

    def __init__(self, device: Device, step: int) -> None:
        """Args:
        step: updates that were made before the watch began.
        """
        self.num_finite_on_host = step
        self.finite_on_host = True
        self.waits = device.type != "cpu"
        self.all_finite = torch.ones((), dtype=torch.bool, device=device.torch_device)
        self.num_finite = torch.full((), step, dtype=torch.int64, device=device.torch_device)

    def note(self, finite: Tensor | bool) -> None:
        """Take note of a step: a boolean scalar on the device, or what is known already."""
        if self.waits and isinstance(finite, Tensor):
            self.all_finite.logical_and_(finite)
            self.num_finite.add_(self.all_finite)
        else:
            self.finite_on_host = self.finite_on_host and bool(finite)
            self.num_finite_on_host += self.finite_on_host

    def first_bad_step(self) -> int | None:
        """The first step that was not finite, counted from 1; None where all were. Waits for the
        device."""
        if self.waits:
            return None if self.all_finite else int(self.num_finite) + 1
        return None if self.finite_on_host else self.num_finite_on_host + 1


class Step(Protocol):
    """Makes one update from images (N, 1, 28, 28) and labels (N,)."""

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        """What the step came to; it may be overwritten by the next step."""
        ...


@dataclass(frozen=True)
class Update:
    """An update in two parts: what the device computes, and what the host counts."""

    state: TrainingState
    engine: Engine
    device: Device
    watch: NonFiniteDetector
    batch_size: int
    clip_norm: float | None
    exchange: AllReduce | None = None
    """Sums over the processes of the run, where there are several."""

    def compute(
        self, images: Tensor, labels: Tensor, measure_norm: bool, total: int | None = None
    ) -> StepOutput:
        """The part on the device: from tensors to tensors that stay where they are, so that a graph
        can repeat it.

        Args:
            total: images of the update in all processes together, where there are several.
        """
        state = self.state
        outcome = train_step(
            self.engine,
            state.optimizer,
            state.scaler,
            self.device,
            images,
            labels,
            batch_size=self.batch_size,
            clip_norm=self.clip_norm,
            measure_norm=measure_norm,
            total=total,
            exchange=self.exchange,
        )
        self.watch.note(outcome.finite)
        if state.averaged is not None:
            state.averaged.follow(state.model)
        state.interval_accumulator.accumulate(
            outcome.loss, outcome.right, len(labels) if total is None else total
        )
        return outcome

    def count(self, num_images: int) -> None:
        """The part on the host: numbers that a graph would never change."""
        self.state.interval_accumulator.count += num_images
        if self.state.averaged is not None:
            self.state.averaged.n_averaged += 1


@dataclass(frozen=True)
class EagerStep:
    """Every operation is given to the device one by one, each time."""

    update: Update

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        outcome = self.update.compute(images, labels, measure_norm)
        self.update.count(len(labels))
        return outcome
