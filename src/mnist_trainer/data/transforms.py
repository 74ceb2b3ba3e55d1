"""Image transforms that work on whole batches, on the device.

A fixed transform is any callable on images. A random one is a pure function of images and uniform
numbers in [0, 1): ``num_random_params`` for each image, passed in by the loader. The same numbers
give the same images on every device, with every loader, and after a resume.
"""

import json
import math
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from mnist_trainer.compute.rng import host_rng_state
from mnist_trainer.config.instantiate import build
from mnist_trainer.config.settings import IMAGE_SIZE, Component

CHUNK = 1024
"""Images that are preprocessed at a time; three megabytes."""


class Normalize(nn.Module):
    """Shift and scale pixels: ``(x - mean) / std``."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self.mean = mean
        self.std = std

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, H, W) in 0..1 to the same shape; the argument is left as it is."""
        return (images - self.mean) / self.std


class CenterCrop(nn.Module):
    """Crop the centre of each image; MNIST's margin of four pixels is mostly empty."""

    def __init__(self, size: int) -> None:
        """Crop to ``size`` x ``size`` pixels."""
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, H, W) to (N, 1, size, size)."""
        top, left = ((side - self.size) // 2 for side in images.shape[-2:])
        return images[..., top : top + self.size, left : left + self.size].contiguous()


class RandomAffine(nn.Module):
    """Rotate, shift, scale and shear each image about its centre at random, bilinearly.

    Pixels from outside the image have the value of its darkest pixel, its background.
    """

    num_random_params = 5

    def __init__(
        self, degrees: float, translate: float, scale: Sequence[float], shear: float
    ) -> None:
        """Set the ranges that parameters are drawn from, uniformly.

        Args:
            degrees: largest rotation either way.
            translate: largest shift either way along each axis, in pixels.
            scale: smallest and largest enlargement.
            shear: largest horizontal shear either way, in degrees.
        """
        super().__init__()
        self.degrees = degrees
        self.translate = translate
        self.scale = (float(scale[0]), float(scale[1]))
        self.shear = shear

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 5) to images (N, 1, H, W)."""
        height, width = images.shape[-2:]
        background = images.amin(dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
        grid = F.affine_grid(
            self.inverse_maps(random_params, height, width), list(images.shape), align_corners=False
        )
        # grid_sample fills with zeros, so the background is brought to zero and back.
        moved = F.grid_sample(
            images - background, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return moved + background

    def inverse_maps(self, random_params: Tensor, height: int, width: int) -> Tensor:
        """Matrices (N, 2, 3) from output positions to input positions, for ``affine_grid``.

        Positions are -1 to 1 across the image.
        """
        signed = 2 * random_params - 1  # (N, 5), in [-1, 1)
        angle = signed[:, 0] * math.radians(self.degrees)
        low, high = self.scale
        shrink = 1 / (low + (high - low) * random_params[:, 1])
        slope = torch.tan(signed[:, 2] * math.radians(self.shear))
        cos, sin = torch.cos(angle) * shrink, torch.sin(angle) * shrink
        shift_x = signed[:, 3] * (2 * self.translate / width)
        shift_y = signed[:, 4] * (2 * self.translate / height)
        rows = [
            torch.stack([cos, cos * slope - sin, shift_x], dim=1),
            torch.stack([sin, sin * slope + cos, shift_y], dim=1),
        ]
        return torch.stack(rows, dim=1)  # (N, 2, 3)


@dataclass(frozen=True)
class Transforms:
    """All transforms of a run."""

    fixed: tuple[nn.Module, ...]
    random: tuple[nn.Module, ...]
    recipe: str | None = None
    """Identifies what the fixed transforms do; None where that is unknown."""

    @property
    def num_random_params(self) -> int:
        """Number of uniform random numbers for one image."""
        return sum(count_random_params(transform) for transform in self.random)

    @property
    def batched(self) -> bool:
        """Whether every random transform has parameters of its own for each image of a batch."""
        return all(hasattr(transform, "num_random_params") for transform in self.random)

    def preprocess(self, images: Tensor) -> Tensor:
        """Scale uint8 (N, 1, H, W) to float32 in 0..1, and apply the fixed transforms.

        As many images at a time as stay in a processor's cache between the transforms.
        """
        result = images.new_empty(0)
        for start in range(0, max(1, len(images)), CHUNK):
            done = self.apply_fixed(images[start : start + CHUNK].to(torch.float32).div_(255))
            if len(images) <= CHUNK:
                return done
            if not start:
                result = done.new_empty((len(images), *done.shape[1:]))
            result[start : start + CHUNK] = done
        return result

    def apply_fixed(self, images: Tensor) -> Tensor:
        """Apply the fixed transforms in order to float32 (N, 1, H, W) in 0..1."""
        for transform in self.fixed:
            images = transform(images)
        return images

    def pixel_range(self) -> tuple[float, float] | None:
        """What the fixed transforms make of black and of white pixels; None where they do more to a
        pixel's value than to shift and scale it."""
        grey = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
        images = self.preprocess(grey.expand(3, 1, IMAGE_SIZE, IMAGE_SIZE).clone()).flatten(1)
        low, between, high = images.mean(dim=1).tolist()
        tolerance = 1e-5 * abs(high - low)
        is_even = bool((images.amax(dim=1) - images.amin(dim=1) <= tolerance).all())
        is_straight = abs(between - (low + 0.2 * (high - low))) <= tolerance
        return (low, high) if is_even and is_straight and high > low else None

    def preprocess_cached(self, images: Tensor) -> Tensor:
        """As ``preprocess``, for images that several runs in one process use: the result is cached.

        It is computed again for another recipe, after something wrote into the result, as a layer
        that works in place may, or if a transform drew random numbers, which the next run must
        draw again.
        """
        cached = _CACHE.get(images)
        if cached and cached.recipe == self.recipe and cached.images._version == cached.version:
            return cached.images
        # Before the new result is computed, so that the memory is free.
        _CACHE.pop(images, None)
        before = host_rng_state()
        result = self.preprocess(images)
        if self.recipe is not None and host_rng_state() == before:
            _CACHE[images] = _Cached(self.recipe, result, result._version)
        return result

    def augment(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Apply the random transforms in order.

        Args:
            images: (N, 1, H, W).
            random_params: numbers in [0, 1), (N, num_random_params).
        """
        start = 0
        for transform in self.random:
            count = count_random_params(transform)
            images = transform(images, random_params[:, start : start + count])
            start += count
        return images


@dataclass(frozen=True)
class _Cached:
    recipe: str
    images: Tensor
    version: int
    """PyTorch's count of changes in place."""


_CACHE: MutableMapping[Tensor, _Cached] = WeakIdKeyDictionary()
"""Preprocessed images by the raw images, for as long as those exist."""


def count_random_params(transform: nn.Module) -> int:
    """Uniform numbers that a random transform takes per image; 0 if it draws its own."""
    return int(getattr(transform, "num_random_params", 0))


def build_transforms(fixed: Sequence[Component], random: Sequence[Component]) -> Transforms:
    """Build all image transforms, in the order of the configuration."""
    return Transforms(
        fixed=tuple(build(component, nn.Module) for component in fixed),
        random=tuple(build(component, nn.Module) for component in random),
        recipe=json.dumps([dict(component.node) for component in fixed], sort_keys=True),
    )
