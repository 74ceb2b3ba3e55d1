"""Detect and erase ruled lines, margins and frames that cross the whole image."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.remove_background import InkMap, Plane

STRIPS = 24
"""A line is looked for in this many strips across the picture."""
PRESENT = 0.2
"""Share of the strips that may lack the line: faded, or lifted by a fold."""
STEEPEST = 0.14
"""Steepest line that is looked for, rise over run: 8 degrees."""


def remove_ruled_lines(strength: InkMap) -> InkMap:
    """Take lines out that cross the picture from left to right or from top to bottom; strokes that
    cross them stay."""
    values = strength.values
    values = erase_lines(values, strength.noise)
    values = erase_lines(values.T, strength.noise).T
    return InkMap(np.ascontiguousarray(values), strength.noise)


def erase_lines(values: Plane, noise: float) -> Plane:
    """Take near-horizontal lines out of (H, W)."""
    height, width = values.shape
    if height < 3 * STRIPS or width < 3 * STRIPS:
        return values
    # A tilted hairline is rendered in steps: three rows together contain all of it.
    thickened = ndimage.maximum_filter1d(values, 3, axis=0, mode="constant")
    slope, scores = best_slope(strip_means(thickened), width)
    least = max(0.03, 2 * noise / np.sqrt(width / STRIPS))
    cleaned = values
    columns = np.arange(width)
    for top, bottom in thin_peaks(scores, least, max(6, height // 40)):
        middle = (top + bottom - 1) / 2 + slope * (columns - (width - 1) / 2)
        cleaned = erase_line(cleaned, np.round(middle).astype(int), (bottom - top) // 2)
    return cleaned


def strip_means(values: Plane) -> Plane:
    """The mean of each row within each of the vertical strips: (H, STRIPS)."""
    bounds = np.linspace(0, values.shape[1], STRIPS + 1).astype(int)
    sums = np.concatenate(
        [np.zeros((len(values), 1)), np.cumsum(values, axis=1, dtype=np.float64)], axis=1
    )
    return np.asarray((sums[:, bounds[1:]] - sums[:, bounds[:-1]]) / np.diff(bounds), np.float32)


def best_slope(strips: Plane, width: int) -> tuple[float, Plane]:
    """The slope along which lines are seen best, and how strong a line of that slope is at each row
    of the middle.

    The strength of a line is what all but a few of the strips show at least: a digit, which leaves
    the margins empty, has none.
    """
    height = len(strips)
    centres = (np.arange(STRIPS) + 0.5) / STRIPS * width - width / 2
    steps = int(STEEPEST * width / 2)
    best_sum, best = -1.0, (0.0, np.zeros(height, np.float32))
    for step in range(-steps, steps + 1):
        slope = 2 * step / width
        shifts = np.round(slope * centres).astype(int)
        rows = np.arange(height)[:, None] + shifts
        seen = np.where(
            (rows >= 0) & (rows < height),
            strips[np.clip(rows, 0, height - 1), np.arange(STRIPS)],
            np.nan,
        )
        scores = low_quantile(seen)
        # Squares: a line seen sharply counts for more than the same one smeared over many rows.
        if (total := float((scores**2).sum())) > best_sum * 1.0001:
            best_sum, best = total, (slope, scores)
    return best


def low_quantile(seen: Plane) -> Plane:
    """The quantile ``PRESENT`` of each row of (H, STRIPS); 0 where more than a third of a row lies
    outside the picture."""
    outside = np.isnan(seen)
    ordered = np.sort(np.where(outside, np.inf, seen), axis=1)
    inside = STRIPS - outside.sum(axis=1)
    picked = ordered[np.arange(len(seen)), (inside * PRESENT).astype(int).clip(max=STRIPS - 1)]
    return np.where(inside >= STRIPS * 2 // 3, picked, 0).astype(np.float32)


def thin_peaks(scores: Plane, least: float, thickest: int) -> list[tuple[int, int]]:
    """Ranges of rows, ``(first, last + 1)``, in which a line is seen: at least half as strong as at
    its strongest."""
    peaks: list[tuple[int, int]] = []
    free = scores.copy()
    while (row := int(free.argmax())) >= 0 and free[row] >= least:
        half = scores[row] / 2
        top = bottom = row
        while top > 0 and scores[top - 1] >= half:
            top -= 1
        while bottom < len(scores) - 1 and scores[bottom + 1] >= half:
            bottom += 1
        free[max(0, top - 1) : bottom + 2] = 0
        # What is thicker is a table or a wide frame: left whole, it touches the edge, and is known
        # by that later.
        if bottom + 1 - top <= thickest:
            peaks.append((top, bottom + 1))
    return peaks


def erase_line(values: Plane, middle: NDArray[np.intp], reach: int) -> Plane:
    """Empty ``reach`` rows either side of a line, but where a stroke crosses it.

    A stroke that crosses goes on above and below the line; there it is filled in between.
    """
    height, width = values.shape
    columns = np.arange(width)
    above = values[np.clip(middle - reach - 1, 0, height - 1), columns]
    below = values[np.clip(middle + reach + 1, 0, height - 1), columns]
    # A slanted stroke leaves the band in a column beside the one in which it entered.
    above, below = (
        ndimage.maximum_filter1d(side, 2 * reach + 1, mode="nearest") for side in (above, below)
    )
    crossing = np.minimum(above, below)
    line = float(np.median(values[np.clip(middle, 0, height - 1), columns]))
    cleaned = values.copy()
    for offset in range(-reach, reach + 1):
        rows = middle + offset
        inside = (rows >= 0) & (rows < height)
        rows, at = rows[inside], columns[inside]
        here = values[rows, at]
        # Clearly darker than the line: ink on top of it, such as a bar that lies along it.
        darker = here > 1.6 * line + 0.05
        kept = np.where(darker, here, np.minimum(here, crossing[at]))
        cleaned[rows, at] = kept
    return cleaned
