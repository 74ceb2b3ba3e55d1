"""Background subtraction for photographs and scans: shading, noise and colour of the paper."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.normalize import Ink
from mnist_trainer.inference.digit_images.read_image import RGB

CELLS = 64
"""Shading is estimated on a grid of about this many cells along the longer side."""
WIDEST_STROKE = 0.3
"""Share of the picture's longer side: what is narrower in its narrowest direction is no shading."""
MEDIAN_WINDOW = 13
"""Side of the median filter that compares ink with its surroundings, in cells."""
BINOMIAL = np.outer([1, 2, 1], [1, 2, 1]) / 16
"""Smoothing filter, 3x3."""
INK_THRESHOLD = 0.25
"""Share of full ink from which a pixel of a photograph is ink for certain."""

Plane = NDArray[np.float32]
"""(H, W)."""


@dataclass(frozen=True)
class InkMap:
    """How much darker than the paper around it each pixel is (lighter, where the ink is)."""

    values: Plane
    """Share of the paper's light that is missing: 0 for paper, at most 1."""
    noise: float
    """Standard deviation of the paper's own grain, in the same unit."""

    def full_ink(self, least: float) -> Ink | None:
        """0 for paper to 1 for full ink; None where nothing is stronger than ``least``."""
        level = self.level
        if level < least:
            return None
        low = max(0.2 * level, min(3 * self.noise, 0.4 * level))
        return np.asarray(np.clip((self.values - low) / (0.85 * level - low), 0, 1), np.float64)

    @cached_property
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


@dataclass(frozen=True)
class InkMaps:
    """Three views of the same ink, each with the paper and its shading taken away."""

    neutral: InkMap
    """By the colour channel that shows a pixel least: black and grey ink only."""
    coloured: InkMap
    """The difference of the other two: coloured ink without black and grey."""
    strongest: InkMap
    """By the colour channel that shows it most: ink of any colour."""


def subtract_background(pixels: RGB) -> InkMaps:
    """Take paper and shading away from a picture of ink on paper, or of chalk on a board."""
    planes = [pixels[..., channel].astype(np.float32) for channel in range(3)]
    if is_light_on_dark(np.mean(planes, axis=0, dtype=np.float32)):
        planes = [255 - plane for plane in planes]
    missing = np.stack([absorbance(plane) for plane in planes])
    least, most = missing.min(axis=0), missing.max(axis=0)
    return InkMaps(measure_ink(least), measure_ink(most - least), measure_ink(most))


def measure_ink(plane: Plane) -> InkMap:
    """Smooth the grain a little where there are pixels enough, and measure what is left of it."""
    if min(plane.shape) >= 150:
        plane = ndimage.correlate(plane, BINOMIAL, mode="nearest")
    # Of the paper alone: ink can be nearly half of a picture.
    empty = plane[plane < 0.15]
    paper = empty if len(empty) > 0.2 * plane.size else plane.ravel()
    middle = np.median(paper)
    grain = float(1.4826 * np.median(np.abs(paper - middle)))
    return InkMap(np.clip(plane - middle, 0, 1), max(grain, 1e-3))


def absorbance(plane: Plane) -> Plane:
    """1 - light / light of the paper around it; negative where the pixel is brighter."""
    paper = estimate_background(plane)
    return np.asarray(1 - plane / np.maximum(paper, 20), np.float32)


def estimate_background(plane: Plane) -> Plane:
    """The light of the empty paper at every pixel: strokes are closed over, what is left is
    smoothed."""
    cells = block_medians(plane)
    trend = fit_quadratic_background(cells)
    window = max(3, int(WIDEST_STROKE * max(cells.shape)) | 1)
    closed = ndimage.grey_closing(cells - trend, window, mode="nearest")
    # The maximum of a window exceeds the paper by the amplitude of the grain; a mean levels it.
    for _ in range(3):
        closed = ndimage.uniform_filter(closed, 5, mode="nearest")
    return bilinear_upsample(closed + trend, plane.shape[0], plane.shape[1])


def fit_quadratic_background(cells: Plane) -> Plane:
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
        weighted = (terms * weights[:, None]).T  # (6, cells): the normal equations are quick
        fit = terms @ np.linalg.lstsq(weighted @ terms, weighted @ values, rcond=None)[0]
    return fit.reshape(cells.shape).astype(np.float32)


def is_light_on_dark(plane: Plane) -> bool:
    """Whether ink is brighter than paper: ink is the smaller part of every surrounding, so it is
    what deviates farther.

    Pixels are compared, and not cells, in which a thin stroke is lost beside a reflection.
    """
    cells = block_medians(plane, CELLS // 2)
    # Mirroring needs a plane larger than half a window.
    mode = "mirror" if min(cells.shape) > MEDIAN_WINDOW // 2 else "nearest"
    surroundings = ndimage.median_filter(cells, MEDIAN_WINDOW, mode=mode)
    size = max(1, -(-max(plane.shape) // (CELLS // 2)))
    rows, columns = (np.arange(size, length - size) for length in plane.shape)
    deviation = plane[np.ix_(rows, columns)] - surroundings[np.ix_(rows // size, columns // size)]
    # An odd power keeps the sign; the fifth counts sharp strokes for more than soft reflections.
    squares = deviation.astype(np.float64) ** 2
    return float((squares * squares * deviation).sum()) > 0


def block_medians(plane: Plane, count: int = CELLS) -> Plane:
    """The median of each cell of a grid of about ``count`` cells along the longer side."""
    size = max(1, -(-max(plane.shape) // count))
    height, width = (-(-side // size) * size for side in plane.shape)
    padded = np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")
    cells = padded.reshape(height // size, size, width // size, size).swapaxes(1, 2)
    return np.asarray(
        np.median(cells.reshape(height // size, width // size, size * size), axis=2), np.float32
    )


def bilinear_upsample(cells: Plane, height: int, width: int) -> Plane:
    """Interpolate between the centers of the cells, linearly along both axes: (height, width)."""
    size = max(1, -(-max(height, width) // CELLS))
    for axis, length in enumerate((height, width)):
        last = cells.shape[axis] - 1
        place = np.clip((np.arange(length) + 0.5) / size - 0.5, 0, last)
        before = place.astype(int)
        share = (place - before).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        after = np.minimum(before + 1, last)
        cells = np.take(cells, before, axis) * (1 - share) + np.take(cells, after, axis) * share
    return cells
