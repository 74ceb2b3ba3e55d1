"""Everything of a run that changes while it trains: one mapping, which serves saving and loading alike."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mnist_trainer.errors import CheckpointError
from mnist_trainer.meter import Meter
from mnist_trainer.randomness import random_state, restore_random_state
from mnist_trainer.selection import Selection


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


@dataclass
class TrainingState:
    """What a checkpoint has to hold so that a run can go on as if it had never stopped."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    scaler: GradScaler
    selection: Selection
    epoch_meter: Meter
    interval_meter: Meter
    averaged: AveragedModel | None
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
        return {**parts, "progress": asdict(self.progress), "random": random_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to where ``state_dict`` was taken, random numbers included.

        Raises:
            CheckpointError: the state is of another network or optimizer.
        """
        try:
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.progress.__dict__.update(state["progress"])
            restore_random_state(state["random"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            # What a part says of a state that is not its own depends on the part.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"The checkpoint does not fit this run: {reason}") from error

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {
            "model": self.model,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "scaler": self.scaler,
            "selection": self.selection,
            "epoch_meter": self.epoch_meter,
            "interval_meter": self.interval_meter,
        }
        return parts if self.averaged is None else {**parts, "averaged": self.averaged}


def averaged_model(model: nn.Module, decay: float | None) -> AveragedModel | None:
    """An exponential moving average of the weights; buffers are copied along."""
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def learning_rate(optimizer: Optimizer) -> float:
    """Rate of the first parameter group."""
    rate: float | torch.Tensor = optimizer.param_groups[0]["lr"]
    return float(rate)
