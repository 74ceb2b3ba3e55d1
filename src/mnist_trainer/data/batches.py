"""From images to the batches of an epoch, in two ways that agree: resident on the device, or
through a DataLoader.

All randomness of an epoch is drawn beforehand from the seed and the number of the epoch, on the
CPU. So an epoch can be entered anywhere, and is the same on every device and with every loader.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mnist_trainer.compute.device import Device
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.transforms import Transforms, count_random_params
from mnist_trainer.errors import ConfigError

# Images gathered and augmented at a time: large enough to spare the calls, small enough for the
# processor's cache.
GATHER = 2048


@dataclass(frozen=True)
class EpochPlan:
    """Which images an epoch shows in which order, and the uniform numbers that augment them."""

    order: Tensor
    """int64, (N,): a permutation."""
    draws: Tensor
    """float32, (N, num_random_params), in [0, 1): a row for each place in the order."""
    seed: int
    """For transforms that make their own random numbers."""
    places: Tensor | None = None
    """int64, (N,): where in the whole epoch each stands, if these are a part of it; they are the
    whole where it is None."""

    def select(self, places: Tensor) -> "EpochPlan":
        """The part of the whole epoch at these places, in their order."""
        return EpochPlan(self.order[places], self.draws[places], self.seed, places)

    def place(self, position: int) -> int:
        """Where in the whole epoch the image stands that is at a position of this plan."""
        return position if self.places is None else int(self.places[position])


def plan_epoch(num_images: int, num_random_params: int, seed: int, epoch: int) -> EpochPlan:
    """The plan of one epoch: a function of its arguments and nothing else."""
    stream = stream_seed(seed, epoch)
    generator = torch.Generator().manual_seed(stream)
    order = torch.randperm(num_images, generator=generator)
    return EpochPlan(order, torch.rand(num_images, num_random_params, generator=generator), stream)


def stream_seed(*parts: int) -> int:
    """A seed for one purpose, unlike that of any other parts: 63 bits of a hash."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Batches(Protocol):
    """Where training images come from."""

    def epoch(self, plan: EpochPlan, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, 1, 28, 28) and labels (B,) on the device, batch after batch, from batch number
        ``start`` on."""
        ...


class ResidentBatches:
    """All images prepared once and kept on the device; batches are cut from gathered portions."""

    def __init__(
        self, data: LabelledImages, transforms: Transforms, device: Device, batch_size: int
    ) -> None:
        """Raises:
        ConfigError: a random transform does not draw for each image apart.
        """
        if not transforms.batched:
            raise ConfigError(
                "transforms.random: a transform without num_random_params would treat a whole batch alike."
                " Show it one image at a time with data.loader=dataloader"
            )
        images = transforms.preprocess_cached(data.images.to(device.torch_device))
        self.shape = images.shape[1:]
        # One row an image: gathering rows takes a quarter of the time of indexing images.
        self.rows = images.flatten(1).contiguous()
        self.labels = data.labels.to(device.torch_device)
        self.transforms = transforms
        self.device = device
        self.batch_size = batch_size

    def epoch(self, plan: EpochPlan, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        order = plan.order[start * self.batch_size :].to(self.device.torch_device)
        draws = plan.draws[start * self.batch_size :].to(self.device.torch_device)
        portion = max(1, GATHER // self.batch_size) * self.batch_size
        for first in range(0, len(order), portion):
            indexes = order[first : first + portion]
            gathered = self.rows.index_select(0, indexes).unflatten(1, self.shape)
            images = self.transforms.augment(gathered, draws[first : first + portion])
            images = images.contiguous(memory_format=self.device.memory_format)
            labels = self.labels.index_select(0, indexes)
            yield from zip(
                images.split(self.batch_size), labels.split(self.batch_size), strict=True
            )


class DataLoaderBatches:
    """PyTorch's own DataLoader, one image at a time: slower, open to any transform of a single
    image."""

    def __init__(
        self,
        data: LabelledImages,
        transforms: Transforms,
        device: Device,
        batch_size: int,
        num_workers: int,
    ) -> None:
        self.data = data
        self.transforms = transforms
        self.device = device
        self.batch_size = batch_size
        self.num_workers = num_workers

    def epoch(self, plan: EpochPlan, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        places = range(start * self.batch_size, len(plan.order))
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            _PlannedImages(self.data, self.transforms, plan),
            batch_size=self.batch_size,
            sampler=places,
            num_workers=self.num_workers,
            # Its own seed, so that the loader draws none from the stream that dropout uses.
            generator=torch.Generator().manual_seed(plan.seed),
        )
        for images, labels in loader:
            moved = images.to(self.device.torch_device, memory_format=self.device.memory_format)
            yield moved, labels.to(self.device.torch_device)


class _PlannedImages(Dataset[tuple[Tensor, Tensor]]):
    """The images of an epoch by their place in it."""

    def __init__(self, data: LabelledImages, transforms: Transforms, plan: EpochPlan) -> None:
        self.data = data
        self.transforms = transforms
        self.plan = plan

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        index = int(self.plan.order[place])
        image = self.transforms.preprocess(self.data.images[index : index + 1])  # (1, 1, 28, 28)
        if self.transforms.batched:
            image = self.transforms.augment(image, self.plan.draws[place : place + 1])
        else:
            image = self._augment_alone(image, place)
        return image[0], self.data.labels[index]

    def _augment_alone(self, image: Tensor, place: int) -> Tensor:
        """Seeded by the place in the epoch: the same image whichever worker makes it, and after a
        resume."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.plan.seed, self.plan.place(place)))
            start = 0
            for transform in self.transforms.random:
                if count := count_random_params(transform):
                    image = transform(
                        image, self.plan.draws[place : place + 1, start : start + count]
                    )
                    start += count
                else:
                    image = transform(image[0]).unsqueeze(0)
        return image
