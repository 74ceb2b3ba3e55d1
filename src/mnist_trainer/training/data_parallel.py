"""Data-parallel training: each process computes a shard of an update; gradients are all-reduced."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from mnist_trainer.compute.ranks import shard_of
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import Batches, EpochSampler, stream_seed
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.memory_layout import is_dense
from mnist_trainer.training.step import StepOutput, TrainStep

log = logging.getLogger(__name__)

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NUMBERS = 4
"""Loss, correct predictions, and the two of ``World.stop_flags``."""
FLAGS_EVERY = 16
"""Steps between two reads of the stop flags where reading waits for the device."""


class ShardedBatches:
    """This process's shard of each update; empty where an update has fewer images than there are
    processes."""

    def __init__(self, inner: Batches, update_size: int, world: World) -> None:
        """Args:
        inner: yields batches of the size of this process's shard of a whole update.
        update_size: images of an update, in all processes together.
        """
        self.inner = inner
        self.update_size = update_size
        self.rank_info = world.rank_info

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        updates = torch.arange(len(sampler.indices)).split(self.update_size)
        shards = [update[shard_of(len(update), self.rank_info)] for update in updates]
        yield from self.inner.epoch(sampler.select(torch.cat(shards)), start)
        if not len(shards[-1]):
            first = sampler.select(torch.zeros(1, dtype=torch.int64))
            images, labels = next(self.inner.epoch(first, 0))
            yield images[:0], labels[:0]


class AllReduce:
    """All-reduces the results of a step in one message, from one static buffer."""

    def __init__(self, world: World, model: nn.Module) -> None:
        self.world = world
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.statistics = [
            buffer
            for module in model.modules()
            if isinstance(module, BATCH_NORMS)
            for buffer in (module.running_mean, module.running_var)
            if buffer is not None
        ]
        self.flat: FlatBuffer | None = None
        self.num_steps = 0

    @torch.no_grad()
    def __call__(
        self, loss: Tensor, num_correct: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Sum the gradients and the statistics of batch normalisation in place.

        Args:
            loss: of the images of this process, times ``loss_weight``.
            num_correct: images of this process that were classified correctly.
            loss_weight: share of this process in the images of the update; weights the statistics.

        Returns:
            Mean loss and number of correct predictions over all images of the update.

        Raises:
            ConfigError: which parameters have gradients changes from step to step.
            MachineError: a process has ended.
        """
        flat = self.flat = self.flat or FlatBuffer(self._trained(), self.statistics, loss.device)
        if sum(parameter.grad is not None for parameter in self.parameters) > len(flat.trained):
            raise ConfigError(
                "model: which of its parameters have gradients changes from step to step, and"
                " several processes cannot follow that. Train it in one process: mnist-train ..."
            )
        flat.fill(loss, num_correct, loss_weight, self.world.stop_flags())
        self.world.all_reduce_sum(flat.buffer)
        flat.copy_back()
        flat.stop_flags.add_(flat.numbers[2:])
        self.num_steps += 1
        if flat.buffer.device.type == "cpu" or self.num_steps % FLAGS_EVERY == 0:
            self.world.apply_stop_flags(flat.stop_flags)
        return flat.numbers[0].clone(), flat.numbers[1].round().to(torch.int64)

    def _trained(self) -> list[nn.Parameter]:
        """The parameters that have a gradient after the first step in any process."""
        counts = torch.tensor([float(p.grad is not None) for p in self.parameters])
        self.world.all_reduce_sum(counts)
        return [
            parameter
            for parameter, count in zip(self.parameters, counts.tolist(), strict=True)
            if count > 0
        ]


class FlatBuffer:
    """One buffer for the numbers, gradients and statistics of a step, with a view of each."""

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
        self.stop_flags = torch.zeros_like(self.numbers[2:])
        sections = self.buffer[NUMBERS:].split([tensor.numel() for tensor in tensors])
        views = [like(tensor, section) for tensor, section in zip(tensors, sections, strict=True)]
        self.gradients, self.means = views[: len(trained)], views[len(trained) :]

    def fill(
        self,
        loss: Tensor,
        num_correct: Tensor,
        loss_weight: float,
        stop_flags: tuple[float, float],
    ) -> None:
        """Copy the results of this process into the buffer."""
        self.numbers[0].copy_(loss)
        self.numbers[1].copy_(num_correct)
        for index, flag in enumerate(stop_flags, start=2):
            self.numbers[index].fill_(flag)
        for parameter, view in zip(self.trained, self.gradients, strict=True):
            if parameter.grad is None:
                view.zero_()
            else:
                view.copy_(parameter.grad)
        for statistic, view in zip(self.statistics, self.means, strict=True):
            view.copy_(statistic).mul_(loss_weight)

    def copy_back(self) -> None:
        """Copy the sums back; gradients of the buffer's dtype become views of it."""
        for parameter, view in zip(self.trained, self.gradients, strict=True):
            parameter.grad = view if view.dtype == parameter.dtype else view.to(parameter.dtype)
        for statistic, view in zip(self.statistics, self.means, strict=True):
            statistic.copy_(view)


def like(tensor: Tensor, section: Tensor) -> Tensor:
    """View a section of the buffer with the shape of a tensor, and with its strides where the
    tensor is dense.

    Fused optimizers need weights and gradients in the same memory layout.
    """
    return (
        section.as_strided(tensor.shape, tensor.stride())
        if is_dense(tensor)
        else section.view(tensor.shape)
    )


class DataParallelStep:
    """An update from this process's shard of its images."""

    def __init__(
        self, step: TrainStep, world: World, update_size: int, num_images: int, seed: int
    ) -> None:
        """Args:
        update_size: images of an update, in all processes together.
        num_images: images of an epoch.
        """
        self.step = replace(step, all_reduce=AllReduce(world, step.state.model))
        self.update_size = update_size
        self.num_images = num_images
        self.seed = seed
        self.rank = world.rank_info.rank

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        progress = self.step.state.progress
        seed_step(stream_seed(self.seed, progress.step, self.rank), images.device)
        # The trainer has counted this update already.
        total = min(self.update_size, self.num_images - (progress.batch - 1) * self.update_size)
        output = self.step.compute(images, labels, measure_norm, total)
        self.step.count(total)
        return output


def seed_step(seed: int, device: torch.device) -> None:
    """Seed a step's random numbers, such as dropout's: different in each process, and the same
    after a resume without being saved."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def warn_of_batch_statistics(config: RunConfig, model: nn.Module, world: World) -> None:
    """Warn that batch normalisation does not see whole batches, where the model has any."""
    if world.is_main_process and any(isinstance(module, BATCH_NORMS) for module in model.modules()):
        size = config.trainer.batch_size
        log.warning(
            "model=%s: batch normalisation takes its statistics from each process's own images (%d"
            " of %d): the result is like that of one process, but not equal to it.",
            config.model.choice,
            -(-size // world.size),
            size,
        )
