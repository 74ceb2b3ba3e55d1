"""Lines drawn over the digit."""

import functools
import math

import numpy as np
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import on_device

MARGIN = 2
"""Columns left free at both ends of a zigzag, in pixels."""
TOOTH = 2.0
"""Height of a zigzag's teeth and a quarter of their period, in pixels."""
DRIFTS = range(-5, 5)
"""How many rows lower a zigzag may end than it begins."""


def dotted_line(images: Tensor, reach: float, rng: CounterRNG) -> Tensor:
    """Draw a straight line from the first to the last column, two columns of every four.

    Both ends are at random heights. Its ink at a distance d above or below is
    ``1 + log(1 - d / reach)``, or none.
    """
    height, width = images.shape[1:]
    drawn = on_device(_dotted_lines(height, width, reach), images)
    left, right = rng.integers(height - 1), rng.integers(height - 1)
    return images + drawn[left, right]


def zigzag(images: Tensor, reach: float, rng: CounterRNG) -> Tensor:
    """Draw a zigzag from left to right: at a random height, and slightly tilted.

    Its ink falls with the distance above or below as that of ``dotted_line``.
    """
    height, width = images.shape[1:]
    drawn = on_device(_zigzags(height, width, reach), images)
    top, drift = rng.integers(height - 1), rng.integers(len(DRIFTS))
    return images + drawn[top, drift]


@functools.lru_cache(maxsize=16)
def _dotted_lines(height: int, width: int, reach: float) -> np.ndarray:
    """All dotted lines, by the rows where they begin and end: (H - 1, H - 1, H, W)."""
    begin, end = np.mgrid[: height - 1, : height - 1][..., None]
    columns = np.arange(width)
    ink = _ink(begin + (end - begin) * columns / (width - 1), height, reach)
    shown = (columns // 2 % 2 == 1) & (columns < width - 1)
    lines: np.ndarray = (ink * shown).astype(np.float32)
    return lines


@functools.lru_cache(maxsize=16)
def _zigzags(height: int, width: int, reach: float) -> np.ndarray:
    """All zigzags, by the row where they begin and their drift: (H - 1, 10, H, W)."""
    drawn = np.zeros((height - 1, len(DRIFTS), height, width))
    columns, tops = np.arange(width), np.arange(height - 1)[:, None]
    for k, drift in enumerate(DRIFTS):
        x, y = _zigzag_points(width - 1 - 2 * MARGIN, drift)
        for i in range(len(x) - 1):
            row = y[i] + (columns - x[i]) * (y[i + 1] - y[i]) / (x[i + 1] - x[i])
            shown = (columns >= math.floor(x[i])) & (columns < math.ceil(x[i + 1]))
            drawn[:, k] += _ink(tops + row, height, reach) * shown
    return drawn.clip(0, 1).astype(np.float32)


def _zigzag_points(span: int, drift: int) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a zigzag over so many columns: their columns, and rows from where it begins."""
    angle = math.atan(drift / span)
    length = span / math.cos(angle)
    teeth = int((length - TOOTH) // (2 * TOOTH)) + 1
    along = [0.0, *((2 * i + 1) * TOOTH for i in range(teeth)), length]
    rest = length - 2 * TOOTH * (length // (2 * TOOTH))
    last = (-1) ** (teeth - 1) * TOOTH
    beside = [0.0, *((-1) ** i * TOOTH for i in range(teeth)), last / (2 * rest)]
    u, v = np.array(along), np.array(beside)
    cos, sin = math.cos(angle), math.sin(angle)
    return cos * u - sin * v + MARGIN, sin * u + cos * v


def _ink(rows: np.ndarray, height: int, reach: float) -> np.ndarray:
    """Ink (..., H, W) around the row of a line in each column (..., W)."""
    distance = abs(np.arange(height)[:, None] - rows[..., None, :])
    ink: np.ndarray = np.log(1 - np.minimum(distance, reach * (1 - 1e-9)) / reach) + 1
    return ink.clip(0, 1)
