"""Detect and erase the lines of the paper and of a form: ruled lines, borders, frames."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.remove_background import InkMap, InkMaps, Plane

STRIPS = 24
"""A line is looked for in this many strips across the picture; in fewer where they would be
narrower than ``NARROWEST``."""
NARROWEST = 3
"""Pixels of a strip."""
SMALLEST = 24
"""Shorter side of a picture in which lines are looked for, in pixels."""
PRESENT = 0.2
"""Share of the strips that may lack a line that goes from edge to edge: faded, or lifted by a
fold."""
AS_STRONG = 0.4
"""Weakest end of a line, as a share of the middle of it."""
REACH = 0.6
"""Share of the picture that a line must cross from one edge on if it ends before the other one."""
STEEPEST = 0.14
"""Steepest line that is looked for, rise over run: 8 degrees."""
BORDER_ZONE = 0.2
"""Share of the picture on each side in which lines are as thick as the border of a box may be."""
BORDER_STRENGTH = 0.3
"""Share of the paper's light that a border takes at least if it is so thick."""
PASSES = 2
"""Lines of one slope are erased at a time; in perspective there are several slopes."""


@dataclass(frozen=True)
class Line:
    """A near-horizontal line that crosses a picture."""

    middle: NDArray[np.intp]
    """(W,), its row at each column."""
    reach: int
    """Rows either side of the middle that belong to it."""


def remove_lines(maps: InkMaps) -> InkMaps:
    """Take lines out that come from one edge of the picture and cross most of it; strokes that
    cross them stay."""
    for _ in range(PASSES):
        before = maps.strongest.values
        maps = turned(erase_horizontal_lines(turned(erase_horizontal_lines(maps))))
        if np.array_equal(maps.strongest.values, before):
            break
    return maps


def turned(maps: InkMaps) -> InkMaps:
    """Rows and columns exchanged."""
    return InkMaps(
        *(
            InkMap(np.ascontiguousarray(each.values.T), each.noise)
            for each in (maps.neutral, maps.coloured, maps.strongest)
        )
    )


def erase_horizontal_lines(maps: InkMaps) -> InkMaps:
    """Take near-horizontal lines of the slope that most of them have out of all maps."""
    lines = find_lines(maps.strongest.values, maps.strongest.noise)

    def erased(ink: InkMap) -> InkMap:
        return InkMap(reduce(erase_line, lines, ink.values), ink.noise)

    return InkMaps(erased(maps.neutral), erased(maps.coloured), erased(maps.strongest))


def find_lines(values: Plane, noise: float) -> list[Line]:
    """The near-horizontal lines of one slope in (H, W)."""
    height, width = values.shape
    if min(height, width) < SMALLEST:
        return []
    strips = min(STRIPS, width // NARROWEST)
    # A tilted hairline is rendered in steps: three rows together contain all of it.
    thickened = ndimage.maximum_filter1d(values, 3, axis=0, mode="constant")
    slope, scores = best_slope(strip_means(thickened, strips), width)
    least = max(0.03, 2 * noise / np.sqrt(width / strips))
    columns = np.arange(width)
    lines = []
    for top, bottom in thin_peaks(scores, least):
        middle = (top + bottom - 1) / 2 + slope * (columns - (width - 1) / 2)
        reach = (bottom - top) // 2 + (bottom - top) // 6
        lines.append(Line(np.floor(middle + 0.5).astype(int), reach))
    return lines


def strip_means(values: Plane, strips: int) -> Plane:
    """The mean of each row within each of the vertical strips: (H, strips)."""
    bounds = np.linspace(0, values.shape[1], strips + 1).astype(int)
    sums = np.concatenate(
        [np.zeros((len(values), 1)), np.cumsum(values, axis=1, dtype=np.float64)], axis=1
    )
    return np.asarray((sums[:, bounds[1:]] - sums[:, bounds[:-1]]) / np.diff(bounds), np.float32)


def best_slope(strips: Plane, width: int) -> tuple[float, Plane]:
    """The slope along which lines are seen best, and how strong a line of that slope is at each row
    of the middle."""
    count = strips.shape[1]
    centres = (np.arange(count) + 0.5) / count * width - width / 2
    steps = int(STEEPEST * width / 2) // 2 * 2

    def scored(candidates: list[int]) -> list[tuple[float, int, Plane]]:
        """Squares: a line seen sharply counts for more than the same one smeared over rows."""
        shifts = 2 * np.array(candidates)[:, None] / width * centres
        strengths = line_strength(along(strips, shifts))
        return [
            (float((scores**2).sum()), step, scores)
            for step, scores in zip(candidates, strengths, strict=True)
        ]

    # Every other slope, and then the neighbours of the best.
    coarse = max(scored(list(range(-steps, steps + 1, 2))), key=preference)
    best = max([coarse, *scored([coarse[1] - 1, coarse[1] + 1])], key=preference)
    return 2 * best[1] / width, best[2]


def preference(scored: tuple[float, int, Plane]) -> tuple[float, int]:
    """What a slope is chosen by: the sum of its scores, to a thousandth; then the level one."""
    return round(scored[0], 3), -abs(scored[1])


def along(strips: Plane, shifts: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, H, strips): each strip moved up by its shift, in whole rows, for each of N rows of
    shifts; what is outside the picture is infinite."""
    height, count = strips.shape
    rows = np.arange(height)[:, None] + np.floor(shifts + 0.5).astype(int)[:, None, :]
    seen = strips[np.clip(rows, 0, height - 1), np.arange(count)]
    return np.where((rows >= 0) & (rows < height), seen, np.float32(np.inf))


def line_strength(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strong a line is along each row of (N, H, strips), infinite outside the picture: (N, H),
    what nearly all strips between its two ends show at least.

    A line crosses the picture from edge to edge, or most of it from one edge, and is as strong
    there; a digit, which leaves the margins empty, does neither.
    """
    count = seen.shape[-1]
    part = int(np.ceil(REACH * count))
    inside = np.isfinite(seen).sum(axis=-1)
    ordered = np.sort(seen, axis=-1)

    def ranked(rank: NDArray[np.int64]) -> NDArray[np.float32]:
        places = rank.clip(max=count - 1)[..., None]
        return np.take_along_axis(ordered, places, axis=-1)[..., 0]

    across, usual = ranked((inside * PRESENT).astype(int)), ranked(inside // 2)
    ends = np.minimum(seen[..., 0], seen[..., -1])
    across = np.where(ends >= AS_STRONG * usual, across, 0)
    partly = np.maximum(seen[..., :part].min(axis=-1), seen[..., -part:].min(axis=-1))
    partly = np.where(partly >= AS_STRONG * usual, partly, 0)
    return np.where(3 * inside >= 2 * count, np.maximum(across, partly), 0).astype(np.float32)


def thin_peaks(scores: Plane, least: float) -> list[tuple[int, int]]:
    """Ranges of rows, ``(first, last + 1)``, in which a line is seen: at least half as strong as at
    its strongest."""
    height = len(scores)
    peaks: list[tuple[int, int]] = []
    free = scores.copy()
    while (row := int(free.argmax())) >= 0 and free[row] >= least:
        half = scores[row] / 2
        top = bottom = row
        while top > 0 and scores[top - 1] >= half:
            top -= 1
        while bottom < height - 1 and scores[bottom + 1] >= half:
            bottom += 1
        free[max(0, top - 1) : bottom + 2] = 0
        # What is thicker is a table or a wide frame: left whole, it touches the edge, and is known
        # by that later.
        outer = min(row, height - 1 - row) < BORDER_ZONE * height and scores[row] >= BORDER_STRENGTH
        if bottom + 1 - top <= max(6, height // 10 if outer else height // 40):
            peaks.append((top, bottom + 1))
    return peaks


def erase_line(values: Plane, line: Line) -> Plane:
    """Empty the rows of a line, but where a stroke crosses it.

    A stroke that crosses goes on above and below the line; there it is filled in between.
    """
    height, width = values.shape
    middle, reach = line.middle, line.reach
    columns = np.arange(width)
    above = values[np.clip(middle - reach - 1, 0, height - 1), columns]
    below = values[np.clip(middle + reach + 1, 0, height - 1), columns]
    # A slanted stroke leaves the band in a column beside the one in which it entered.
    above, below = (
        ndimage.maximum_filter1d(side, 2 * reach + 1, mode="nearest") for side in (above, below)
    )
    crossing = np.minimum(above, below)
    strength = float(np.median(values[np.clip(middle, 0, height - 1), columns]))
    cleaned = values.copy()
    for offset in range(-reach, reach + 1):
        rows = middle + offset
        inside = (rows >= 0) & (rows < height)
        rows, at = rows[inside], columns[inside]
        here = values[rows, at]
        # Clearly darker than the line: ink on top of it, such as a bar that lies along it.
        darker = here > 1.6 * strength + 0.05
        kept = np.where(darker, here, np.minimum(here, crossing[at]))
        cleaned[rows, at] = kept
    return cleaned
