"""Random transforms that imitate what a photograph leaves of a digit: other pens, pieces of ruled
lines, specks of the paper, faint ink, blur.

As all random transforms they are pure functions of images and uniform numbers per image. Images may
be normalized: the darkest pixel of each is its background, the brightest its full ink.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.data.corruptions.filters import symmetric_filter

BINOMIAL = (6 / 16, 4 / 16, 1 / 16)
"""Smoothing filter of five pixels: weights of the middle and of the two on either side of it."""


class RandomStrokes(nn.Module):
    """Make the strokes of each image thinner or thicker: grey erosion and dilation by 3x3, mixed
    with the image."""

    num_random_params = 1

    def __init__(self, thinner: float, thicker: float) -> None:
        """Set the largest share, 0 to 1, of the eroded and of the dilated image."""
        super().__init__()
        self.thinner = thinner
        self.thicker = thicker

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 1) to images (N, 1, H, W)."""
        signed = (2 * random_params - 1)[..., None, None]  # (N, 1, 1, 1), in [-1, 1)
        dilated, eroded = of_neighbours(torch.maximum, images), of_neighbours(torch.minimum, images)
        thicker = self.thicker * signed.clamp_min(0) * (dilated - images)
        return images + thicker - self.thinner * (-signed).clamp_min(0) * (images - eroded)


class RandomLines(nn.Module):
    """Draw pieces of nearly horizontal and vertical lines, or erase the ink along them, as lines of
    the paper do that were left over or taken out."""

    def __init__(
        self,
        count: int,
        probability: float,
        erased: float,
        width: Sequence[float],
        length: Sequence[float],
        tilt: float,
    ) -> None:
        """Set how many lines, and the ranges that each is drawn from, uniformly.

        Args:
            count: lines of an image at most.
            probability: of each line to be there.
            erased: share of the lines that erase.
            width: least and largest, in pixels.
            length: least and largest, in pixels.
            tilt: largest angle to the rows or columns, in degrees.
        """
        super().__init__()
        self.num_random_params = 7 * count
        self.probability = probability
        self.erased = erased
        self.width = (float(width[0]), float(width[1]))
        self.length = (float(length[0]), float(length[1]))
        self.tilt = tilt

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 7 count) to images (N, 1, H, W)."""
        ink, background, span = to_unit(images)
        for params in random_params.split(7, dim=1):
            lined = (params[:, 0] < self.probability).nonzero().flatten()
            chosen, before = params[lined], ink[lined]
            coverage = self.coverage(chosen, ink.shape[-2], ink.shape[-1])
            # One number says whether there is a line, and if so whether it erases.
            erases = (chosen[:, 0] < self.probability * self.erased)[:, None, None, None]
            drawn = torch.maximum(before, coverage)
            ink[lined] = torch.where(erases, before * (1 - coverage), drawn)
        return ink * span + background

    def coverage(self, params: Tensor, height: int, width: int) -> Tensor:
        """How much of each pixel a line covers, times its strength: (N, 1, H, W), 0 to 1."""
        direction, off, place, length, thickness, strength = (
            column[:, None, None] for column in params[:, 1:].unbind(dim=1)
        )
        across = torch.arange(width, device=params.device) - (width - 1) / 2
        down = (torch.arange(height, device=params.device) - (height - 1) / 2)[:, None]
        upright = direction >= 0.5
        angle = math.radians(self.tilt) * (4 * (direction % 0.5) - 1)
        angle = angle + torch.where(upright, math.pi / 2, 0.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        along = across * cos + down * sin - (place - 0.5) * width
        beside = (down * cos - across * sin - (off - 0.5) * height).abs()
        half = _between(self.width, thickness) / 2
        reach = _between(self.length, length) / 2
        covered = (half + 0.5 - beside).clamp(0, 1) * (reach + 0.5 - along.abs()).clamp(0, 1)
        return (covered * (0.3 + 0.7 * strength))[:, None]


class RandomPaper(nn.Module):
    """Let specks of the paper show, and let the ink be uneven, as in pencil or faded print."""

    SPECKS, PATCHES = 10, 6
    """Sides of the grids of random numbers behind specks and patches."""
    num_random_params = 2 + SPECKS**2 + PATCHES**2

    def __init__(self, specks: float, fading: float) -> None:
        """Set the largest strength of the specks, and the largest loss of ink, as shares of full
        ink."""
        super().__init__()
        self.specks = specks
        self.fading = fading

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 138) to images (N, 1, H, W)."""
        ink, background, span = to_unit(images)
        strengths, grain, patches = random_params.split([2, self.SPECKS**2, self.PATCHES**2], dim=1)
        specks = spread(grain.reshape(-1, 1, self.SPECKS, self.SPECKS), ink)
        # The upper third of the numbers only: specks are few.
        specks = ((specks - 0.65) / 0.35).clamp_min(0) * self.specks
        faded = spread(patches.reshape(-1, 1, self.PATCHES, self.PATCHES), ink) * self.fading
        ink = ink * (1 - faded * strengths[:, 1, None, None, None])
        ink = torch.maximum(ink, specks * strengths[:, 0, None, None, None])
        return ink * span + background


class RandomFocus(nn.Module):
    """Blur each image, and change the contrast of its grey levels."""

    num_random_params = 2

    def __init__(self, blur: float, contrast: float) -> None:
        """Set the ranges that parameters are drawn from, uniformly.

        Args:
            blur: largest share, 0 to 1, of the image smoothed by the binomial filter of 5x5.
            contrast: largest exponent of the grey levels, 1 or more; the smallest is its inverse.
        """
        super().__init__()
        self.blur = blur
        self.contrast = contrast

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 2) to images (N, 1, H, W)."""
        ink, background, span = to_unit(images)
        share, exponent = (column[:, None, None, None] for column in random_params.unbind(dim=1))
        # Outside is background.
        blurred = symmetric_filter(ink[:, 0], BINOMIAL, "constant")[:, None]
        ink = torch.lerp(ink, blurred, self.blur * share)
        ink = ink.clamp_min(1e-6) ** (self.contrast ** (2 * exponent - 1))
        return ink * span + background


def to_unit(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Images (N, 1, H, W) on the scale of their own background, 0, and full ink, 1; with the
    background and the difference (N, 1, 1, 1), which bring them back."""
    background = images.amin(dim=(1, 2, 3), keepdim=True)
    span = (images.amax(dim=(1, 2, 3), keepdim=True) - background).clamp_min(1e-6)
    return (images - background) / span, background, span


def of_neighbours(best: Callable[[Tensor, Tensor], Tensor], images: Tensor) -> Tensor:
    """The largest or smallest of the 3x3 pixels around each pixel of (N, 1, H, W); at the edge of
    those that there are.

    On a CPU, ``max_pool2d`` of a single channel takes ten times as long.
    """
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    rows = best(best(padded[..., :-2, :], padded[..., 1:-1, :]), padded[..., 2:, :])
    return best(best(rows[..., :-2], rows[..., 1:-1]), rows[..., 2:])


def spread(grid: Tensor, images: Tensor) -> Tensor:
    """A coarse grid (N, 1, h, w) over the pixels of (N, 1, H, W), bilinearly, as ``interpolate``
    does without aligned corners; on a CPU that takes several times as long."""
    down, across = (interpolation(grid.shape[axis], images.shape[axis], grid) for axis in (-2, -1))
    return down @ grid @ across.T


def interpolation(cells: int, length: int, like: Tensor) -> Tensor:
    """The matrix (length, cells) that interpolates linearly between the centres of cells."""
    place = (torch.arange(length, device=like.device) + 0.5) * cells / length - 0.5
    off = place.clamp(0, cells - 1)[:, None] - torch.arange(cells, device=like.device)
    return (1 - off.abs()).clamp_min(0).to(like.dtype)


def _between(ends: tuple[float, float], share: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * share
