"""Short runs with a constant learning rate, each from new initial weights."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from torch import Tensor
from torch.optim import Optimizer

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.rng import seed_everything
from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.config.instantiate import option_names
from mnist_trainer.config.settings import Component, RunConfig
from mnist_trainer.data.batches import TrainingImages, stream_seed
from mnist_trainer.data.split import Splits
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_loss
from mnist_trainer.models.summary import summarize
from mnist_trainer.training.build_step import build_step
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.run import (
    image_size,
    load_data,
    make_model,
    make_state,
    make_training_images,
)
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import Step

STREAM = 2
"""Keeps the seeds of the short runs apart from the run's own seed and its other streams."""
WARM_UP, TIMED = 3, 10
"""Updates by which the time is measured: those that do not count, and those that do."""
CONSTANT = Component(
    "scheduler", "constant", {"_target_": "mnist_trainer.schedulers.Constant", "warmup_epochs": 0.0}
)


@dataclass(frozen=True)
class ShortRun:
    """The losses of one short run."""

    rate: float
    seed: int
    losses: tuple[float, ...]
    """Of each update, on its images before it is made: in the first epoch these are images that the
    network has not seen. Where the run diverges, up to the last finite one."""
    diverged: bool
    """Whether a loss or gradient was not finite."""


def short_run_seed(seed: int, number: int) -> int:
    """The seed of the short runs of one number: the same for all rates, so that they are paired."""
    return stream_seed(seed, number, STREAM)


def constant_rate_config(config: RunConfig) -> RunConfig:
    """The settings with a constant rate and all of epsilon from the first step on; without a moving
    average of the weights, which the losses do not show."""
    adversary = config.trainer.adversary
    if adversary is not None:
        adversary = replace(adversary, warmup_epochs=0.0)
    trainer = replace(config.trainer, ema_decay=None, adversary=adversary)
    return replace(config, scheduler=CONSTANT, trainer=trainer)


class ShortRuns:
    """Makes short runs of one configuration; the test images are not part of them."""

    def __init__(self, config: RunConfig, device: Device, splits: Splits | None = None) -> None:
        """Args:
        splits: the images; None: those that are configured.

        Raises:
            ConfigError: the network does not fit the images, or the optimizer has no rate.
        """
        # A graph would be captured anew for each run, which takes longer than it saves.
        self.device = replace(device, graphs=False)
        self.config = constant_rate_config(config)
        splits = splits or load_data(config)
        empty = splits.test.first(0)
        self.splits = replace(splits, test=empty, validation=splits.validation.first(0))
        self.transforms = build_transforms(config.transforms.fixed, config.transforms.random)
        self.image_size = image_size(self.splits, self.transforms)
        seed_everything(config.seed)
        model = make_model(config, splits.num_classes, self.image_size, self.device)
        shape = (1, self.image_size, self.image_size)
        summarize(model, shape, splits.num_classes)  # Rejects mismatched shapes.
        check_optimizer(config.optimizer)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in which each training image is seen once."""
        trainer = self.config.trainer
        return -(-len(self.splits.train) // (trainer.batch_size * trainer.accumulation))

    def train(self, rate: float, seed: int, steps: int) -> ShortRun:
        """Train from new weights; end early where a loss or gradient is not finite.

        The losses are those of the first updates of ``mnist-train`` with this rate, seed and a
        constant schedule.
        """
        losses: list[float] = []
        for loss in self._losses(rate, seed, steps):
            if not math.isfinite(loss):
                return ShortRun(rate, seed, tuple(losses), diverged=True)
            losses.append(loss)
        return ShortRun(rate, seed, tuple(losses), diverged=len(losses) < steps)

    def measure_seconds(self, rate: float, seed: int) -> tuple[float, float]:
        """Seconds for the preparation of a run and for each update, by its first updates."""
        losses = self._losses(rate, seed, WARM_UP + TIMED)
        for _ in islice(losses, WARM_UP):
            pass
        started = time.perf_counter()
        count = sum(1 for _ in losses)
        ended = time.perf_counter()
        # Not the first preparation, which also makes what is made once in a process.
        self._prepare(rate, seed, NonFiniteDetector(self.device))
        return time.perf_counter() - ended, (ended - started) / max(1, count)

    def _losses(self, rate: float, seed: int, steps: int) -> Iterator[float]:
        """The loss of each update, up to the last one before a gradient is not finite."""
        detector = NonFiniteDetector(self.device)
        data, state, step = self._prepare(rate, seed, detector)
        state.model.train()
        progress = state.progress
        for images, labels in data.epoch(0):
            progress.batch += 1
            progress.step += 1
            yield float(step(images, labels, measure_norm=False).loss)
            if progress.step == steps or detector.first_bad_step(progress.step) is not None:
                return
            state.scheduler.step()

    def _prepare(
        self, rate: float, seed: int, detector: NonFiniteDetector
    ) -> tuple[TrainingImages, TrainingState, Step]:
        """Everything of a run that its first updates depend on, built as ``prepare`` builds it."""
        config, splits, device = self.config, self.splits, self.device
        config = replace(config, seed=seed, optimizer=with_rate(config.optimizer, rate))
        seed_everything(seed)
        data = make_training_images(config, splits, self.transforms, device, SINGLE_WORLD)
        criterion = build_loss(config.loss).to(device.torch_device)
        model = make_model(config, splits.num_classes, self.image_size, device)
        state = make_state(config, model, data.steps_per_epoch, device)
        check_groups(config.optimizer, state.optimizer, rate)
        step = build_step(
            config, state, criterion, device, detector, data, self.transforms, SINGLE_WORLD
        )
        return data, state, step


def with_rate(optimizer: Component, rate: float) -> Component:
    """The optimizer with another learning rate."""
    return replace(optimizer, node={**optimizer.node, "lr": rate})


def check_optimizer(optimizer: Component) -> None:
    """Raise ``ConfigError`` where an optimizer has no option ``lr``."""
    if "lr" not in optimizer.options and "lr" not in option_names(optimizer.target):
        raise ConfigError(
            f"--find-lr with optimizer={optimizer.choice} ({optimizer.target}): it has no option"
            " lr, so there is no rate to find. Use an optimizer that has one, such as"
            " optimizer=sgd, or train without --find-lr"
        )


def check_groups(component: Component, optimizer: Optimizer, rate: float) -> None:
    """Raise ``ConfigError`` where a parameter group has another rate than ``optimizer.lr``."""
    rates = [_number(group.get("lr")) for group in optimizer.param_groups]
    if any(found is None or not math.isclose(found, rate, rel_tol=1e-6) for found in rates):
        shown = ", ".join("none" if found is None else f"{found:g}" for found in rates)
        raise ConfigError(
            f"--find-lr with optimizer={component.choice} ({component.target}): optimizer.lr="
            f"{rate:g} gives its {len(rates)} parameter groups the rates {shown}. The test varies"
            " one rate for all of them: use an optimizer whose groups share optimizer.lr,"
            " such as optimizer=adam or optimizer=muon, or compare values in a sweep: mnist-train"
            " -m optimizer.lr=0.01,0.1"
        )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | Tensor) else None
