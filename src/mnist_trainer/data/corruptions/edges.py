"""Canny's edges."""

import functools

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import gaussian_filter, neighbours, on_device

WEAK, STRONG = 0.1, 0.2
"""Least magnitude of the Sobel gradient of an edge's pixels, and of one pixel of each edge."""


def canny_edges(images: Tensor, sigma: float, _rng: CounterRNG) -> Tensor:
    """Replace each image by its edges, 0 or 1 (Canny 1986).

    Gaussian smoothing, Sobel gradient, pixels at a maximum along the gradient, and of those above
    the weak threshold the 8-connected groups with a pixel above the strong one.
    """
    height, width = images.shape[1:]
    smooth = gaussian_filter(images, sigma, mode="constant")
    smooth = smooth / on_device(_border_weights(height, width, sigma), images)
    down, right = _sobel(smooth)
    magnitude = torch.sqrt(down * down + right * right)
    thin = _is_maximum(magnitude, down, right)
    # What lies outside of the image is unknown, so its outermost pixels are no edges.
    inside = torch.zeros_like(thin)
    inside[:, 1:-1, 1:-1] = True
    thin &= inside
    return connected(thin & (magnitude >= WEAK), thin & (magnitude >= STRONG)).to(torch.float32)


@functools.cache
def _border_weights(height: int, width: int, sigma: float) -> np.ndarray:
    """What smoothing leaves of an image of ones with zeros outside."""
    ones = torch.ones(1, height, width)
    return gaussian_filter(ones, sigma, mode="constant").numpy()


def _sobel(images: Tensor) -> tuple[Tensor, Tensor]:
    """Sobel gradient of (N, H, W), down the rows and along the columns."""
    at = neighbours(images)
    down = (at[1, -1] + at[1, 1] + 2 * at[1, 0]) - (at[-1, -1] + at[-1, 1] + 2 * at[-1, 0])
    right = (at[-1, 1] + at[1, 1] + 2 * at[0, 1]) - (at[-1, -1] + at[1, -1] + 2 * at[0, -1])
    return down, right


def _is_maximum(magnitude: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Where the magnitude is not less than one step up and down the gradient, interpolated
    between the two pixels on both sides of its direction."""
    at = neighbours(magnitude)
    steep = down.abs() >= right.abs()
    larger = torch.maximum(down.abs(), right.abs())
    share = torch.minimum(down.abs(), right.abs()) / larger.clamp_min(1e-12)
    same_sign = (down >= 0) == (right >= 0)
    result = magnitude > 0
    for sign in (1, -1):
        straight = torch.where(
            steep,
            torch.where(down >= 0, at[sign, 0], at[-sign, 0]),
            torch.where(right >= 0, at[0, sign], at[0, -sign]),
        )
        diagonal = torch.where(
            same_sign,
            torch.where(down >= 0, at[sign, sign], at[-sign, -sign]),
            torch.where(down >= 0, at[sign, -sign], at[-sign, sign]),
        )
        result &= diagonal * share + straight * (1 - share) <= magnitude
    return result


def connected(weak: Tensor, strong: Tensor) -> Tensor:
    """The 8-connected groups of weak pixels that hold a strong one: bool (N, H, W).

    Labelled on the CPU, all images at once.
    """
    within_image = np.zeros((3, 3, 3), dtype=bool)
    within_image[1] = True
    labels, count = ndimage.label(weak.cpu().numpy(), within_image)
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels[strong.cpu().numpy()]] = True
    kept[0] = False
    return torch.from_numpy(kept[labels]).to(weak.device)
