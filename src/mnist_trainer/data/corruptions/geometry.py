"""Affine maps about the centre of the image, bilinear, with background outside."""

import functools
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import on_device

Matrix = tuple[float, float, float, float, float, float]
"""Maps a position of the result, (x, y) from the centre, to that of the source: ``a, b, c`` of
``a x + b y + c`` for x, then for y."""
SIGNS = (-1, 1)


def shear(images: Tensor, angle: float, rng: CounterRNG) -> Tensor:
    """Tilt the columns by this angle in radians, to a random side."""
    return _either(images, rng, lambda a: (1, -math.sin(a), 0, 0, math.cos(a), 0), angle)


def rotate(images: Tensor, angle: float, rng: CounterRNG) -> Tensor:
    """Rotate by this angle in radians, to a random side."""
    return _either(
        images,
        rng,
        lambda a: (math.cos(a), -math.sin(a), 0, math.sin(a), math.cos(a), 0),
        angle,
    )


def scale(images: Tensor, factor: float, _rng: CounterRNG) -> Tensor:
    """Shrink to this share of the size."""
    return warp(images, (1 / factor, 0, 0, 0, 1 / factor, 0))


def translate(images: Tensor, distance: float, rng: CounterRNG) -> Tensor:
    """Shift by this many pixels along both axes, each in a random direction."""
    picked = rng.integers(4)
    matrices = [(1.0, 0.0, x * distance, 0.0, 1.0, y * distance) for x in SIGNS for y in SIGNS]
    return _by_choice(images, picked, matrices)


def _either(
    images: Tensor, rng: CounterRNG, matrix: Callable[[float], Matrix], angle: float
) -> Tensor:
    return _by_choice(images, rng.integers(2), [matrix(sign * angle) for sign in SIGNS])


def _by_choice(images: Tensor, picked: Tensor, matrices: list[Matrix]) -> Tensor:
    """Warp each image by the matrix that was picked for it."""
    result = torch.empty_like(images)
    for choice, matrix in enumerate(matrices):
        chosen = (picked == choice).nonzero()[:, 0]
        result[chosen] = warp(images[chosen], matrix)
    return result


def warp(images: Tensor, matrix: Matrix) -> Tensor:
    """Apply one affine map to images (N, H, W)."""
    height, width = images.shape[1:]
    corners, weights = (on_device(t, images) for t in _samples(matrix, height, width))
    # One more pixel, of background, for what is outside.
    flat = torch.nn.functional.pad(images.flatten(1), (0, 1))
    total = torch.zeros_like(flat[:, :-1])
    for corner, weight in zip(corners, weights, strict=True):
        total += flat.index_select(1, corner) * weight
    return total.reshape(images.shape)


@functools.lru_cache(maxsize=64)
def _samples(matrix: Matrix, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The four source pixels of each pixel, int64 (4, H W), and their weights, float32 (4, H W)."""
    a, b, c, d, e, f = matrix
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    x, y = x - middle_x, y - middle_y
    source_x, source_y = a * x + b * y + c + middle_x, d * x + e * y + f + middle_y
    left, top = np.floor(source_x), np.floor(source_y)
    corners, weights = [], []
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = top + i, left + j
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        corners.append(np.where(inside, row * width + column, height * width))
        weights.append((1 - abs(source_y - row)) * (1 - abs(source_x - column)))
    return np.array(corners, dtype=np.int64), np.array(weights, dtype=np.float32)
