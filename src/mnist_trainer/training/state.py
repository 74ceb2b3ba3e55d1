"""Everything of a run that changes while it trains: one mapping, which serves saving and loading
alike."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_trainer.compute.rng import restore_rng_state, rng_state
from mnist_trainer.errors import CheckpointError
from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.selection import Selection

# Options of an optimizer that change how it computes, not what.
HOW_COMPUTED = {"fused", "foreach", "capturable"}


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0
    """Epochs completed."""
    batch: int = 0
    """Updates made in the epoch that is under way."""
    step: int = 0
    """Updates made in all."""
    gradient_norms: list[float] = field(default_factory=list)
    """At the log points of the epoch that is under way."""


class MovingAverage(AveragedModel):
    """An exponential moving average of weights and buffers; it begins as a copy of them.

    PyTorch's own sends the number of updates to the device each time, and waits for it.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, use_buffers=True)
        self.average = get_ema_multi_avg_fn(decay)

    def update_parameters(self, model: nn.Module) -> None:
        """Follow the model, and count that."""
        self.follow(model)
        self.n_averaged += 1

    @torch.no_grad()
    def follow(self, model: nn.Module) -> None:
        """The part of an update that the device does."""
        ours = [*self.module.parameters(), *self.module.buffers()]
        theirs = [*model.parameters(), *model.buffers()]
        if int(self.n_averaged) == 0:  # A number of the host, whatever the device.
            torch._foreach_copy_(ours, theirs)
            return
        for dtype in {tensor.dtype for tensor in ours}:
            pairs = [pair for pair in zip(ours, theirs, strict=True) if pair[0].dtype == dtype]
            mean, now = ([pair[side] for pair in pairs] for side in (0, 1))
            self.average(mean, now, self.n_averaged)


@dataclass
class TrainingState:
    """What a checkpoint has to hold so that a run can go on as if it had never stopped."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    scaler: GradScaler
    selection: Selection
    epoch_accumulator: MetricAccumulator
    interval_accumulator: MetricAccumulator
    averaged: MovingAverage | None
    progress: Progress

    @property
    def evaluated(self) -> nn.Module:
        """The network that is evaluated: the moving average of the weights, where one is kept."""
        return self.model if self.averaged is None else self.averaged.module

    def weights(self) -> dict[str, Tensor]:
        """Weights and buffers of the evaluated network."""
        return dict(self.evaluated.state_dict())

    def state_dict(self) -> dict[str, Any]:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "progress": asdict(self.progress), "random": rng_state()}

    def load_state_dict(self, state: dict[str, Any], set_anew: Collection[str] = ()) -> None:
        """Go back to where ``state_dict`` was taken, random numbers included.

        Args:
            set_anew: options of the optimizer that stay as they are here, such as ``lr``.

        Raises:
            CheckpointError: the state is of another network or optimizer.
        """
        try:
            state = {**state, "optimizer": self._as_set_here(state["optimizer"], set_anew)}
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self._schedule_again()
            self.progress.__dict__.update(state["progress"])
            restore_rng_state(state["random"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            # What a part says of a state that is not its own depends on the part.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"The checkpoint does not fit this run: {reason}") from error

    def _as_set_here(self, saved: dict[str, Any], set_anew: Collection[str]) -> dict[str, Any]:
        """An optimizer's state whose groups say how this machine computes, not how the one did that
        saved it."""
        # What a schedule begins with is lr, under another name.
        kept = HOW_COMPUTED | set(set_anew) | ({"initial_lr"} if "lr" in set_anew else set())
        groups = [
            {**then, **{key: here[key] for key in kept & here.keys()}}
            for then, here in zip(saved["param_groups"], self.optimizer.param_groups, strict=True)
        ]
        return {**saved, "param_groups": groups}

    def _schedule_again(self) -> None:
        """Let the schedule say the rate of the next update: its length or its first rate may have
        been set anew."""
        groups = self.optimizer.param_groups
        self.scheduler.base_lrs = [group["initial_lr"] for group in groups]
        if isinstance(self.scheduler, LambdaLR):
            for group, base, factor in zip(
                groups, self.scheduler.base_lrs, self.scheduler.lr_lambdas, strict=True
            ):
                group["lr"] = base * factor(self.scheduler.last_epoch)

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "scaler": self.scaler,
            "selection": self.selection,
            "epoch_meter": self.epoch_accumulator,
            "interval_meter": self.interval_accumulator,
        }
        return parts if self.averaged is None else {**parts, "averaged": self.averaged}


def learning_rate(optimizer: Optimizer) -> float:
    """Rate of the first parameter group."""
    rate: float | torch.Tensor = optimizer.param_groups[0]["lr"]
    return float(rate)
