"""Linear filters of batches of images, by sums of shifted images.

Sums in a fixed order give the same bits in batches of any size and on any device, which a library's
convolution does not promise.
"""

import functools
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def gaussian_filter(images: Tensor, sigma: float, mode: str = "replicate") -> Tensor:
    """Blur (N, H, W) as ``scipy.ndimage.gaussian_filter`` does: cut off at four sigma.

    Args:
        mode: ``replicate`` repeats the border (SciPy's ``nearest``), ``constant`` is zero outside.
    """
    return symmetric_filter(images, gaussian_weights(sigma), mode)


def symmetric_filter(images: Tensor, weights: Sequence[float], mode: str) -> Tensor:
    """Filter the columns and then the rows of (N, H, W).

    Args:
        weights: at distance 0, 1, ..., to either side.
        mode: ``replicate`` repeats the border, ``constant`` is zero outside.
    """
    for axis in (1, 2):
        images = _correlate(images, weights, axis, mode)
    return images


@functools.cache
def gaussian_weights(sigma: float) -> tuple[float, ...]:
    """Weights at distance 0, 1, ..., of a normalized Gaussian kernel."""
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
    return tuple((weights / (2 * weights.sum() - weights[0])).tolist())


def pad(images: Tensor, left: int, right: int, top: int, bottom: int, mode: str) -> Tensor:
    """Pad (N, H, W) with zeros, or with the border's pixels."""
    return F.pad(images[:, None], (left, right, top, bottom), mode=mode)[:, 0]


def _correlate(images: Tensor, weights: Sequence[float], axis: int, mode: str) -> Tensor:
    radius, size = len(weights) - 1, images.shape[axis]
    around = (0, 0, radius, radius) if axis == 1 else (radius, radius, 0, 0)
    padded = pad(images, *around, mode)
    total = padded.narrow(axis, radius, size) * weights[0]
    for distance in range(1, radius + 1):
        pair = padded.narrow(axis, radius - distance, size) + padded.narrow(
            axis, radius + distance, size
        )
        total += pair.mul_(weights[distance])
    return total


def neighbours(images: Tensor) -> dict[tuple[int, int], Tensor]:
    """The pixel (row + i, column + j) of each pixel of (N, H, W), by (i, j); zero outside."""
    height, width = images.shape[1:]
    padded = pad(images, 1, 1, 1, 1, "constant")
    return {
        (i, j): padded[:, 1 + i : 1 + i + height, 1 + j : 1 + j + width]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }


def on_device(table: np.ndarray, images: Tensor) -> Tensor:
    """A table computed on the host, on the device of the images."""
    return torch.from_numpy(table).to(images.device)
