"""Image transforms that work on whole batches, on the device.

A fixed transform is any callable on images. A random one is a pure function of images and *draws*:
uniform numbers in [0, 1), ``num_random_params`` of them for each image, handed in by the loader. The same
draws give the same images on every device, with every loader, and after a resume.
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
from mnist_trainer.config.settings import Component


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
    """The middle of each image; MNIST's own margin of four pixels is mostly empty."""

    def __init__(self, size: int) -> None:
        """Args:
        size: side of what is left, in pixels.
        """
        super().__init__()
        self.size = size

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, H, W) to (N, 1, size, size)."""
        top, left = ((side - self.size) // 2 for side in images.shape[-2:])
        return images[..., top : top + self.size, left : left + self.size].contiguous()


class RandomAffine(nn.Module):
    """A random rotation, shift, scale and shear of each image, bilinear, about the centre of the
    image.

    What comes in from outside the image is the image's own darkest pixel, which is its background.
    """

    num_random_params = 5

    def __init__(
        self, degrees: float, translate: float, scale: Sequence[float], shear: float
    ) -> None:
        """Args:
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

    def forward(self, images: Tensor, draws: Tensor) -> Tensor:
        """Images (N, 1, H, W) and draws (N, 5) to images (N, 1, H, W)."""
        height, width = images.shape[-2:]
        background = images.amin(dim=(1, 2, 3), keepdim=True)  # (N, 1, 1, 1)
        grid = F.affine_grid(
            self.inverse_maps(draws, height, width), list(images.shape), align_corners=False
        )
        # grid_sample fills with zeros, so the background is brought to zero and back.
        moved = F.grid_sample(
            images - background, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return moved + background

    def inverse_maps(self, draws: Tensor, height: int, width: int) -> Tensor:
        """For each image the (2, 3) matrix that takes an output position to the input position it
        shows.

        Positions are in -1..1 across the image, as ``affine_grid`` wants them.
        """
        signed = 2 * draws - 1  # (N, 5), in [-1, 1)
        angle = signed[:, 0] * math.radians(self.degrees)
        low, high = self.scale
        shrink = 1 / (low + (high - low) * draws[:, 1])
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
    """Says what the fixed ones do, the same for two that do the same; None where that is not known.
    """

    @property
    def num_random_params(self) -> int:
        """Uniform numbers that one image takes."""
        return sum(count_random_params(transform) for transform in self.random)

    @property
    def batched(self) -> bool:
        """Whether every random transform draws for each image of a batch apart."""
        return all(hasattr(transform, "num_random_params") for transform in self.random)

    def preprocess(self, images: Tensor) -> Tensor:
        """uint8 (N, 1, H, W) to float32, scaled to 0..1 and with the fixed transforms applied."""
        return self.apply_fixed(images.to(torch.float32).div_(255))

    def apply_fixed(self, images: Tensor) -> Tensor:
        """The fixed transforms, in order; float32 (N, 1, H, W), 0..1."""
        for transform in self.fixed:
            images = transform(images)
        return images

    def preprocess_cached(self, images: Tensor) -> Tensor:
        """As ``preprocess``, for images that many runs of a process share: made anew only where the
        result might differ.

        That is where the recipe is another, where something has written into the result, as a layer
        may that works in place, or where a transform has drawn random numbers, which the next run
        has to draw again.
        """
        kept = _PREPARED.get(images)
        if (
            kept is not None
            and kept.recipe == self.recipe is not None
            and kept.images._version == kept.version
        ):
            return kept.images
        # First of all, so that there is room for the new ones.
        _PREPARED.pop(images, None)
        before = host_rng_state()
        prepared = self.preprocess(images)
        if self.recipe is not None and host_rng_state() == before:
            _PREPARED[images] = _Prepared(self.recipe, prepared, prepared._version)
        return prepared

    def augment(self, images: Tensor, draws: Tensor) -> Tensor:
        """The random transforms, in order; images (N, 1, H, W), draws (N, num_random_params)."""
        start = 0
        for transform in self.random:
            count = count_random_params(transform)
            images = transform(images, draws[:, start : start + count])
            start += count
        return images


@dataclass(frozen=True)
class _Prepared:
    """Images as the model sees them."""

    recipe: str
    images: Tensor
    version: int
    """PyTorch counts how often a tensor was written into."""


_PREPARED: MutableMapping[Tensor, _Prepared] = WeakIdKeyDictionary()
"""By the images that they were made from; gone when those are."""


def count_random_params(transform: nn.Module) -> int:
    """How many uniform numbers a random transform takes for an image; 0 for one that makes its own."""
    return int(getattr(transform, "num_random_params", 0))


def build_transforms(fixed: Sequence[Component], random: Sequence[Component]) -> Transforms:
    """All image transforms, in the order of the configuration."""
    return Transforms(
        fixed=tuple(build(component, nn.Module) for component in fixed),
        random=tuple(build(component, nn.Module) for component in random),
        recipe=json.dumps([dict(component.node) for component in fixed], sort_keys=True),
    )
