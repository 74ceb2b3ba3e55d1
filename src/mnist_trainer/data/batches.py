"""Batches of an epoch, from images resident on the device or through a DataLoader.

All randomness of an epoch is drawn beforehand on the CPU, from the seed and the number of the
epoch. So an epoch can be entered at any batch, and is the same on every device and with either
loader.
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
class EpochSampler:
    """The images of one epoch in order, and the uniform numbers that augment them."""

    indices: Tensor
    """int64, (N,): a permutation of the images."""
    random_params: Tensor
    """float32, (N, num_random_params), in [0, 1): a row for each position."""
    seed: int
    """For transforms that draw their own random numbers."""
    positions: Tensor | None = None
    """int64, (N,): positions in the whole epoch, where this is a part of it; None: the whole."""

    def select(self, positions: Tensor) -> "EpochSampler":
        """The part of the whole epoch at these positions, in their order."""
        return EpochSampler(
            self.indices[positions], self.random_params[positions], self.seed, positions
        )

    def position_in_epoch(self, index: int) -> int:
        """Position in the whole epoch of the image at an index of this sampler."""
        return index if self.positions is None else int(self.positions[index])


def sample_epoch(num_images: int, num_random_params: int, seed: int, epoch: int) -> EpochSampler:
    """Draw the order and the random parameters of one epoch: a function of its arguments alone."""
    stream = stream_seed(seed, epoch)
    generator = torch.Generator().manual_seed(stream)
    indices = torch.randperm(num_images, generator=generator)
    random_params = torch.rand(num_images, num_random_params, generator=generator)
    return EpochSampler(indices, random_params, stream)


def stream_seed(*parts: int) -> int:
    """Derive a seed of 63 bits from a hash of the parts, so that each purpose has its own."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Batches(Protocol):
    """A loader of training images."""

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, 1, H, W) and labels (B,) on the device, from batch ``start`` on."""
        ...


@dataclass
class TrainingImages:
    """The training images of a run, in updates."""

    batches: Batches
    """Yields the images of one update at a time."""
    num_images: int
    num_random_params: int
    """Uniform numbers that augmentation takes for an image."""
    update_size: int
    """Images of one update, in all processes together."""
    seed: int
    class_names: tuple[str, ...]

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_images // self.update_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images (B, 1, H, W) and labels (B,) of epoch ``number``, counted from 0, from
        update ``start`` on."""
        sampler = sample_epoch(self.num_images, self.num_random_params, self.seed, number)
        return self.batches.epoch(sampler, start)


@dataclass(frozen=True)
class EvaluationImages:
    """Preprocessed images of one split, on the device."""

    images: Tensor
    """float32, (N, 1, H, W)."""
    labels: Tensor
    """int64, (N,)."""

    def __len__(self) -> int:
        return len(self.labels)


def evaluation_images(
    data: LabelledImages, transforms: Transforms, device: Device
) -> EvaluationImages:
    """Move a split to the device and preprocess it once; it is never augmented."""
    images = transforms.preprocess_cached(data.images.to(device.torch_device))
    return EvaluationImages(
        images.contiguous(memory_format=device.memory_format), data.labels.to(device.torch_device)
    )


class ResidentBatches:
    """All images preprocessed once and kept on the device; batches are views of gathered chunks."""

    def __init__(
        self, data: LabelledImages, transforms: Transforms, device: Device, batch_size: int
    ) -> None:
        """Raises ConfigError where a random transform takes no parameters for each image."""
        if not transforms.batched:
            raise ConfigError(
                "transforms.random: a transform without num_random_params would treat a whole"
                " batch alike. Show it one image at a time with data.loader=dataloader"
            )
        images = transforms.preprocess_cached(data.images.to(device.torch_device))
        self.shape = images.shape[1:]
        # One row an image: gathering rows takes a quarter of the time of indexing images.
        self.rows = images.flatten(1).contiguous()
        self.labels = data.labels.to(device.torch_device)
        self.transforms = transforms
        self.device = device
        self.batch_size = batch_size

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        indices = sampler.indices[start * self.batch_size :].to(self.device.torch_device)
        params = sampler.random_params[start * self.batch_size :].to(self.device.torch_device)
        chunk = max(1, GATHER // self.batch_size) * self.batch_size
        for first in range(0, len(indices), chunk):
            chosen = indices[first : first + chunk]
            gathered = self.rows.index_select(0, chosen).unflatten(1, self.shape)
            images = self.transforms.augment(gathered, params[first : first + chunk])
            images = images.contiguous(memory_format=self.device.memory_format)
            labels = self.labels.index_select(0, chosen)
            yield from zip(
                images.split(self.batch_size), labels.split(self.batch_size), strict=True
            )


class DataLoaderBatches:
    """PyTorch's DataLoader, one image at a time: slower, but takes any transform of one image."""

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

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            _EpochDataset(self.data, self.transforms, sampler),
            batch_size=self.batch_size,
            sampler=range(start * self.batch_size, len(sampler.indices)),
            num_workers=self.num_workers,
            # Its own seed, so that the loader draws none from the stream that dropout uses.
            generator=torch.Generator().manual_seed(sampler.seed),
        )
        for images, labels in loader:
            moved = images.to(self.device.torch_device, memory_format=self.device.memory_format)
            yield moved, labels.to(self.device.torch_device)


class _EpochDataset(Dataset[tuple[Tensor, Tensor]]):
    """The images of an epoch, augmented, by their index in its sampler."""

    def __init__(self, data: LabelledImages, transforms: Transforms, sampler: EpochSampler) -> None:
        self.data = data
        self.transforms = transforms
        self.sampler = sampler

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        chosen = int(self.sampler.indices[index])
        image = self.transforms.preprocess(self.data.images[chosen : chosen + 1])  # (1, 1, H, W)
        params = self.sampler.random_params[index : index + 1]  # (1, num_random_params)
        if self.transforms.batched:
            image = self.transforms.augment(image, params)
        else:
            image = self._augment_one(image, params, self.sampler.position_in_epoch(index))
        return image[0], self.data.labels[chosen]

    def _augment_one(self, image: Tensor, params: Tensor, position: int) -> Tensor:
        """Augment one image with the generator seeded by its position in the epoch: the result is
        the same in every worker, and after a resume."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(stream_seed(self.sampler.seed, position))
            start = 0
            for transform in self.transforms.random:
                if count := count_random_params(transform):
                    image = transform(image, params[:, start : start + count])
                    start += count
                else:
                    image = transform(image[0]).unsqueeze(0)
        return image
