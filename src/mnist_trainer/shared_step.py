"""A step that several processes make together."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mnist_trainer.data.batches import Batches, EpochPlan, stream_seed
from mnist_trainer.distributed import World, part_of
from mnist_trainer.errors import ConfigError
from mnist_trainer.settings import RunConfig
from mnist_trainer.steps import StepOutcome
from mnist_trainer.update import Update

log = logging.getLogger(__name__)

VOTES = 2
"""Numbers that ask for a stop: see ``World.stop_votes``."""
COUNTED_EVERY = 16
"""Steps between two looks at the votes where to look means to wait for the device."""


class SharedBatches:
    """This process's part of each update's images; nothing where an update has fewer images than there are processes."""

    def __init__(self, inner: Batches, update_size: int, world: World) -> None:
        """Args:
        inner: cuts the images of a plan into portions of this process's part of a whole update.
        """
        self.inner = inner
        self.update_size = update_size
        self.place = world.place

    def epoch(self, plan: EpochPlan, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        parts = [part_of(len(update), self.place) for update in plan.order.split(self.update_size)]
        places = [torch.arange(part.start, part.stop) + i * self.update_size for i, part in enumerate(parts)]
        mine = plan.select(torch.cat(places))
        yield from self.inner.epoch(mine, start)
        if not len(places[-1]):
            images, labels = next(self.inner.epoch(plan.select(torch.zeros(1, dtype=torch.int64)), 0))
            yield images[:0], labels[:0]


class Exchange:
    """Sums over all processes what a step of each has come to: one message."""

    def __init__(self, world: World, model: nn.Module) -> None:
        self.world = world
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.trained: list[nn.Parameter] | None = None
        self.statistics = [
            buffer
            for module in model.modules()
            if isinstance(module, _BatchNorm)
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        self.made = 0
        self.votes: Tensor | None = None

    @torch.no_grad()
    def __call__(self, loss: Tensor, correct: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Leave the sums in the gradients and in the statistics of batch normalisation.

        Args:
            loss: of the images of this process, weighed by their share in the update.
            correct: how many of them were classified rightly.
            share: of this process in the images of the update; weighs the statistics.

        Returns:
            Mean loss and number of right answers over all images of the update.

        Raises:
            ConfigError: which parameters have gradients changes from step to step.
            MachineError: a process has gone.
        """
        trained = self._trained()
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        for buffer in self.statistics:
            buffer.mul_(share)
        tensors = [*(parameter.grad for parameter in trained), *self.statistics]
        extra = torch.tensor(self.world.stop_votes(), dtype=torch.float32).to(loss.device)
        numbers = torch.cat([torch.stack([loss.float(), correct.float()]), extra])
        flat = torch.cat([numbers, *(tensor.reshape(-1).float() for tensor in tensors if tensor is not None)])
        self.world.sum(flat)
        first = 2 + VOTES
        for tensor in tensors:
            if tensor is not None:
                tensor.copy_(flat[first : first + tensor.numel()].view(tensor.shape))
                first += tensor.numel()
        self._count_votes(flat[2 : 2 + VOTES])
        return flat[0].clone(), flat[1].round().to(torch.int64)

    def _trained(self) -> list[nn.Parameter]:
        """The parameters that have gradients in any process, as the first step has shown."""
        has = [float(parameter.grad is not None) for parameter in self.parameters]
        if self.trained is None:
            somewhere = torch.tensor(has)
            self.world.sum(somewhere)
            self.trained = [p for p, count in zip(self.parameters, somewhere.tolist(), strict=True) if count > 0]
        elif sum(has) > len(self.trained):
            raise ConfigError(
                "model: which of its parameters have gradients changes from step to step, and several processes"
                " cannot follow that. Train it in one process: mnist-train ..."
            )
        return self.trained

    def _count_votes(self, votes: Tensor) -> None:
        self.votes = votes.clone() if self.votes is None else self.votes + votes
        self.made += 1
        if votes.device.type == "cpu" or self.made % COUNTED_EVERY == 0:
            self.world.count_votes(self.votes)


class SharedStep:
    """An update from this process's part of its images."""

    def __init__(self, update: Update, world: World, update_size: int, num_images: int, seed: int) -> None:
        """Args:
        update_size: images of an update, in all processes together.
        num_images: images of an epoch.
        """
        self.update = replace(update, exchange=Exchange(world, update.state.model))
        self.update_size = update_size
        self.num_images = num_images
        self.seed = seed
        self.rank = world.place.rank

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutcome:
        progress = self.update.state.progress
        seed_step(stream_seed(self.seed, progress.step, self.rank), images.device)
        # The trainer has counted this update already.
        total = min(self.update_size, self.num_images - (progress.batch - 1) * self.update_size)
        outcome = self.update.compute(images, labels, measure_norm, total)
        self.update.count(total)
        return outcome


def seed_step(seed: int, device: torch.device) -> None:
    """Random numbers of a step, such as dropout's: unlike in each process, and the same after a resume without being saved."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def warn_of_batch_statistics(config: RunConfig, model: nn.Module, world: World) -> None:
    """Say that batch normalisation does not see whole batches, where there is any."""
    if world.is_first and any(isinstance(module, _BatchNorm) for module in model.modules()):
        size = config.trainer.batch_size
        log.warning(
            "model=%s: batch normalisation takes its statistics from each process's own images (%d of %d):"
            " the result is like that of one process, but not equal to it.",
            config.model.choice,
            -(-size // world.size),
            size,
        )
