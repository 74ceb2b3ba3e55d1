"""A step that several processes make together."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mnist_trainer.compute.ranks import shard_of
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import Batches, EpochPlan, stream_seed
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.step import StepOutput
from mnist_trainer.training.update import Update

log = logging.getLogger(__name__)

NUMBERS = 4
"""Loss, right answers, and the two of ``World.stop_flags``."""
COUNTED_EVERY = 16
"""Steps between two looks at the votes where to look means to wait for the device."""


class ShardedBatches:
    """This process's part of each update's images; nothing where an update has fewer images than
    there are processes."""

    def __init__(self, inner: Batches, update_size: int, world: World) -> None:
        """Args:
        inner: cuts the images of a plan into portions of this process's part of a whole update.
        """
        self.inner = inner
        self.update_size = update_size
        self.place = world.rank_info

    def epoch(self, plan: EpochPlan, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        parts = [shard_of(len(update), self.place) for update in plan.order.split(self.update_size)]
        places = [
            torch.arange(part.start, part.stop) + i * self.update_size
            for i, part in enumerate(parts)
        ]
        mine = plan.select(torch.cat(places))
        yield from self.inner.epoch(mine, start)
        if not len(places[-1]):
            images, labels = next(
                self.inner.epoch(plan.select(torch.zeros(1, dtype=torch.int64)), 0)
            )
            yield images[:0], labels[:0]


class AllReduce:
    """Sums over all processes what a step of each has come to: one message, in one buffer that
    stays where it is."""

    def __init__(self, world: World, model: nn.Module) -> None:
        self.world = world
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.statistics = [
            buffer
            for module in model.modules()
            if isinstance(module, _BatchNorm)
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        self.layout: FlatBuffer | None = None
        self.made = 0

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
        layout = self.layout = self.layout or FlatBuffer(
            self._trained(), self.statistics, loss.device
        )
        self._require(layout.trained)
        layout.fill(loss, correct, share, self.world.stop_flags())
        self.world.all_reduce_sum(layout.buffer)
        layout.copy_back()
        self._count_votes(layout)
        return layout.numbers[0].clone(), layout.numbers[1].round().to(torch.int64)

    def _trained(self) -> list[nn.Parameter]:
        """The parameters that the first step has given a gradient in any process."""
        somewhere = torch.tensor(
            [float(parameter.grad is not None) for parameter in self.parameters]
        )
        self.world.all_reduce_sum(somewhere)
        return [
            parameter
            for parameter, count in zip(self.parameters, somewhere.tolist(), strict=True)
            if count > 0
        ]

    def _require(self, trained: list[nn.Parameter]) -> None:
        if sum(parameter.grad is not None for parameter in self.parameters) > len(trained):
            raise ConfigError(
                "model: which of its parameters have gradients changes from step to step, and"
                " several processes cannot follow that. Train it in one process: mnist-train ..."
            )

    def _count_votes(self, layout: "FlatBuffer") -> None:
        layout.votes.add_(layout.numbers[2:])
        self.made += 1
        if layout.buffer.device.type == "cpu" or self.made % COUNTED_EVERY == 0:
            self.world.apply_stop_flags(layout.votes)


class FlatBuffer:
    """Where in the one buffer everything lies."""

    def __init__(
        self, trained: list[nn.Parameter], statistics: list[Tensor], device: torch.device
    ) -> None:
        self.trained = trained
        self.statistics = statistics
        tensors = [*trained, *statistics]
        wide = any(tensor.dtype == torch.float64 for tensor in tensors)
        size = NUMBERS + sum(tensor.numel() for tensor in tensors)
        self.buffer = torch.zeros(
            size, dtype=torch.float64 if wide else torch.float32, device=device
        )
        self.numbers = self.buffer[:NUMBERS]
        self.votes = torch.zeros_like(self.numbers[2:])
        sections = self.buffer[NUMBERS:].split([tensor.numel() for tensor in tensors])
        views = [like(tensor, section) for tensor, section in zip(tensors, sections, strict=True)]
        self.gradients, self.means = views[: len(trained)], views[len(trained) :]

    def fill(self, loss: Tensor, correct: Tensor, share: float, votes: tuple[float, float]) -> None:
        """Write what this process has."""
        self.numbers[0].copy_(loss)
        self.numbers[1].copy_(correct)
        for place, vote in enumerate(votes, start=2):
            self.numbers[place].fill_(vote)
        for parameter, view in zip(self.trained, self.gradients, strict=True):
            if parameter.grad is None:
                view.zero_()
            else:
                view.copy_(parameter.grad)
        for statistic, view in zip(self.statistics, self.means, strict=True):
            view.copy_(statistic).mul_(share)

    def copy_back(self) -> None:
        """Give what the buffer has now to whom it belongs; gradients stay in it where they are of
        its type."""
        for parameter, view in zip(self.trained, self.gradients, strict=True):
            parameter.grad = view if view.dtype == parameter.dtype else view.to(parameter.dtype)
        for statistic, view in zip(self.statistics, self.means, strict=True):
            statistic.copy_(view)


def like(tensor: Tensor, section: Tensor) -> Tensor:
    """A piece of memory with the shape of a tensor, and its strides where it fills its memory
    without gaps.

    Fused optimizers go through weights and gradients side by side, so both have to lie alike.
    """
    ends = (
        sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
        + 1
    )
    return (
        section.as_strided(tensor.shape, tensor.stride())
        if ends == tensor.numel()
        else section.view(tensor.shape)
    )


class DataParallelStep:
    """An update from this process's part of its images."""

    def __init__(
        self, update: Update, world: World, update_size: int, num_images: int, seed: int
    ) -> None:
        """Args:
        update_size: images of an update, in all processes together.
        num_images: images of an epoch.
        """
        self.update = replace(update, exchange=AllReduce(world, update.state.model))
        self.update_size = update_size
        self.num_images = num_images
        self.seed = seed
        self.rank = world.rank_info.rank

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        progress = self.update.state.progress
        seed_step(stream_seed(self.seed, progress.step, self.rank), images.device)
        # The trainer has counted this update already.
        total = min(self.update_size, self.num_images - (progress.batch - 1) * self.update_size)
        outcome = self.update.compute(images, labels, measure_norm, total)
        self.update.count(total)
        return outcome


def seed_step(seed: int, device: torch.device) -> None:
    """Random numbers of a step, such as dropout's: unlike in each process, and the same after a
    resume without being saved."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def warn_of_batch_statistics(config: RunConfig, model: nn.Module, world: World) -> None:
    """Say that batch normalisation does not see whole batches, where there is any."""
    if world.is_main_process and any(isinstance(module, _BatchNorm) for module in model.modules()):
        size = config.trainer.batch_size
        log.warning(
            "model=%s: batch normalisation takes its statistics from each process's own images (%d"
            " of %d): the result is like that of one process, but not equal to it.",
            config.model.choice,
            -(-size // world.size),
            size,
        )
