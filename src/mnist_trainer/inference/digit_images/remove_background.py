"""Ink on paper as a camera or scanner sees it: shading, noise and colour are taken away."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mnist_trainer.inference.digit_images.read_image import Colours

CELLS = 64
"""Shading is estimated on a grid of about this many cells along the longer side."""
WIDEST_STROKE = 0.3
"""Share of the picture's longer side: what is narrower in its narrowest direction is no shading."""
NEUTRAL = 0.6
"""Ink whose strongest channel is not more than 1 / this of its weakest is black or grey, and
coloured lines are not it."""

Plane = NDArray[np.float32]
"""(H, W)."""


@dataclass(frozen=True)
class Strength:
    """How much darker than the paper around it each pixel is (lighter, where the ink is)."""

    values: Plane
    """Share of the paper's light that is missing: 0 for paper, at most 1."""
    noise: float
    """Standard deviation of the paper's own grain, in the same unit."""

    def level(self) -> float:
        """Strength of full ink: mean of the strongest thousandth of the pixels, away from the
        edges."""
        height, width = self.values.shape
        rim = max(1, min(height, width) // 50)
        inner = (
            self.values[rim:-rim, rim:-rim].ravel()
            if min(height, width) > 3 * rim
            else self.values.ravel()
        )
        count = max(4, len(inner) // 1000)
        return float(
            np.sort(np.partition(inner, -count)[-count:])[: max(1, (3 * count) // 4)].mean()
        )


def ink_strength(colours: Colours) -> Strength:
    """Take paper and shading away from a picture of ink on paper, or of chalk on a board."""
    planes = [colours[..., channel].astype(np.float32) for channel in range(3)]
    if is_light_on_dark(np.mean(planes, axis=0, dtype=np.float32)):
        planes = [255 - plane for plane in planes]
    missing = np.stack([missing_light(plane) for plane in planes])
    most, least = missing.max(axis=0), missing.min(axis=0)
    strongest, weakest = (strength_of(plane) for plane in (most, least))
    neutral = weakest.level() >= NEUTRAL * strongest.level()
    return weakest if neutral else strongest


def strength_of(plane: Plane) -> Strength:
    """Smooth the grain a little where there are pixels enough, and measure what is left of it."""
    if min(plane.shape) >= 150:
        plane = blur(plane)
    # Of the paper alone: ink can be nearly half of a picture.
    empty = plane[plane < 0.15]
    paper = empty if len(empty) > 0.2 * plane.size else plane.ravel()
    middle = np.median(paper)
    grain = float(1.4826 * np.median(np.abs(paper - middle)))
    return Strength(np.clip(plane - middle, 0, 1), max(grain, 1e-3))


def missing_light(plane: Plane) -> Plane:
    """1 - light / light of the paper around it; negative where the pixel is brighter."""
    paper = paper_light(plane)
    return np.asarray(1 - plane / np.maximum(paper, 20), np.float32)


def paper_light(plane: Plane) -> Plane:
    """The light of the empty paper at every pixel: strokes are closed over, what is left is
    smoothed."""
    cells = cell_medians(plane)
    trend = quadratic_trend(cells)
    window = max(3, int(WIDEST_STROKE * max(cells.shape)) | 1)
    closed = -slide_max(-slide_max(cells - trend, window), window)
    # The brightest of a window is as much too bright as its grain is coarse; the strokes are what
    # is far below it.
    for _ in range(3):
        closed = box_mean(closed, 5)
    return enlarge(closed + trend, plane.shape[0], plane.shape[1])


def quadratic_trend(cells: Plane) -> Plane:
    """The quadratic surface that the brighter part of the cells lies on: most of what uneven light
    does.

    Least squares, repeated with less weight for what lies far off; ink, which is darker, counts
    least.
    """
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, side) for side in cells.shape), indexing="ij")
    terms = np.stack(
        [rows**0, rows, columns, rows**2, rows * columns, columns**2], axis=-1
    ).reshape(-1, 6)
    values = cells.reshape(-1).astype(np.float64)
    weights = np.ones(len(values))
    fit = np.full(len(values), np.median(values))
    for _ in range(8):
        off = values - fit
        spread = 1.4826 * np.median(np.abs(off)) + 0.5
        weights = 1 / (1 + (off / spread) ** 2) * np.where(off < -spread, 0.3, 1)
        root = np.sqrt(weights)
        fit = terms @ np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
    return fit.reshape(cells.shape).astype(np.float32)


def is_light_on_dark(plane: Plane) -> bool:
    """Whether ink is brighter than paper: ink is the smaller part of every surrounding, so it is
    what deviates farther."""
    cells = cell_medians(plane, CELLS // 2)
    window = 15
    around = np.pad(
        cells, window // 2, mode="reflect" if min(cells.shape) > window // 2 else "edge"
    )
    surroundings = np.median(sliding_window_view(around, (window, window)), axis=(2, 3))
    deviation = (cells - surroundings)[1:-1, 1:-1]
    return float((deviation**3).sum()) > 0


def cell_medians(plane: Plane, count: int = CELLS) -> Plane:
    """The median of each cell of a grid of about ``count`` cells along the longer side."""
    size = max(1, -(-max(plane.shape) // count))
    height, width = (-(-side // size) * size for side in plane.shape)
    padded = np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")
    cells = padded.reshape(height // size, size, width // size, size).swapaxes(1, 2)
    return np.asarray(
        np.median(cells.reshape(height // size, width // size, size * size), axis=2), np.float32
    )


def slide_max(plane: Plane, window: int) -> Plane:
    """The maximum of the ``window`` x ``window`` values around each one."""
    for axis in (0, 1):
        pads = [(window // 2, window // 2) if each == axis else (0, 0) for each in (0, 1)]
        plane = sliding_window_view(np.pad(plane, pads, mode="edge"), window, axis=axis).max(
            axis=-1
        )
    return plane


def box_mean(plane: Plane, window: int) -> Plane:
    """The mean of the ``window`` x ``window`` values around each one."""
    for axis in (0, 1):
        pads = [(window // 2, window // 2) if each == axis else (0, 0) for each in (0, 1)]
        plane = sliding_window_view(np.pad(plane, pads, mode="edge"), window, axis=axis).mean(
            axis=-1, dtype=np.float32
        )
    return plane


def blur(plane: Plane) -> Plane:
    """Binomial smoothing, 1 2 1 along both axes."""
    padded = np.pad(plane, 1, mode="edge")
    down = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    return np.asarray((down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 16, np.float32)


def enlarge(cells: Plane, height: int, width: int) -> Plane:
    """Values in between, linear along both axes."""
    size = max(1, -(-max(height, width) // CELLS))
    for axis, length in ((0, height), (1, width)):
        position = np.clip((np.arange(length) + 0.5) / size - 0.5, 0, cells.shape[axis] - 1)
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, cells.shape[axis] - 1)
        share = (position - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        cells = np.take(cells, low, axis) * (1 - share) + np.take(cells, high, axis) * share
    return cells
