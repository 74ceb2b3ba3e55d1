"""The state of a run that a checkpoint holds: one mapping serves saving and loading."""

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
from mnist_trainer.training.deferred import make_accumulator
from mnist_trainer.training.selection import Selection

# Options that change how an optimizer computes, not what.
HOW_COMPUTED = {"fused", "foreach", "capturable"}


@dataclass
class Progress:
    """Position of a run."""

    epoch: int = 0
    """Epochs completed."""
    batch: int = 0
    """Updates made in the current epoch."""
    step: int = 0
    """Updates made in all."""
    gradient_norms: list[float] = field(default_factory=list)
    """At the log points of the current epoch."""


class MovingAverage(AveragedModel):
    """An exponential moving average of weights and buffers; it starts as a copy of them.

    ``AveragedModel.update_parameters`` copies the number of updates to the device each time, and
    waits for it; ``update`` leaves counting to its caller.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, use_buffers=True)
        self.average = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """The part that runs on the device, and that a CUDA graph can replay."""
        ours = [*self.module.parameters(), *self.module.buffers()]
        theirs = [*model.parameters(), *model.buffers()]
        if int(self.n_averaged) == 0:  # On the host, whatever the device.
            for mine, current in zip(ours, theirs, strict=True):
                mine.copy_(current)
            return
        for dtype in {tensor.dtype for tensor in ours}:
            pairs = [pair for pair in zip(ours, theirs, strict=True) if pair[0].dtype == dtype]
            mean, now = ([pair[side] for pair in pairs] for side in (0, 1))
            self.average(mean, now, self.n_averaged)


@dataclass
class TrainingState:
    """What a checkpoint holds so that a resumed run equals an uninterrupted one."""

    model: nn.Module
    optimizer: Optimizer
    scheduler: LRScheduler
    scaler: GradScaler
    selection: Selection = field(default_factory=Selection)
    ema: MovingAverage | None = None
    """Moving average of the weights, where one is kept."""
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        device = next(self.model.parameters()).device
        self.epoch_accumulator = MetricAccumulator(device)
        self.interval_accumulator = make_accumulator(device)

    @property
    def eval_model(self) -> nn.Module:
        """The network to evaluate: the moving average, where one is kept."""
        return self.model if self.ema is None else self.ema.module

    def weights(self) -> dict[str, Tensor]:
        """Weights and buffers of the evaluated network."""
        return dict(self.eval_model.state_dict())

    def state_dict(self) -> dict[str, Any]:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {**parts, "progress": asdict(self.progress), "random": rng_state()}

    def load_state_dict(self, state: dict[str, Any], changed: Collection[str] = ()) -> None:
        """Restore a ``state_dict``, the random number generators included.

        Args:
            changed: options of the optimizer that keep their present value, such as ``lr``.

        Raises:
            CheckpointError: the state is of another network or optimizer.
        """
        try:
            state = {**state, "optimizer": self._with_present_options(state["optimizer"], changed)}
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self._update_learning_rates()
            self.progress.__dict__.update(state["progress"])
            restore_rng_state(state["random"])
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
            # What a part says of a state that is not its own depends on the part.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(f"The checkpoint does not fit this run: {reason}") from error

    def _with_present_options(
        self, saved: dict[str, Any], changed: Collection[str]
    ) -> dict[str, Any]:
        """A saved optimizer state with the present options where they were changed, or concern only
        how this machine computes."""
        # A schedule keeps the lr that it starts from under another name.
        kept = HOW_COMPUTED | set(changed) | ({"initial_lr"} if "lr" in changed else set())
        groups = [
            {**then, **{key: here[key] for key in kept & here.keys()}}
            for then, here in zip(saved["param_groups"], self.optimizer.param_groups, strict=True)
        ]
        return {**saved, "param_groups": groups}

    def _update_learning_rates(self) -> None:
        """Recompute the rates of the next update: the schedule's length or lr may have changed."""
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
        return parts if self.ema is None else {**parts, "averaged": self.ema}


def learning_rate(optimizer: Optimizer) -> float:
    """Learning rate of the first parameter group."""
    rate: float | torch.Tensor = optimizer.param_groups[0]["lr"]
    return float(rate)
