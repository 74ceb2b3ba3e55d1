"""What is on the paper: its colour and grain, lines of a grid and of boxes, neighbours, the digit.

Ink takes light away: layers multiply, so that red over black is black. Colours are shares of the
light, 0 to 1, red, green, blue.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.photographs.glyphs import Glyph, Plane

Light = NDArray[np.float64]
"""(H, W, 3), 0..1."""

Colour = tuple[float, float, float]

PAPERS = {
    "white": ((0.97, 0.97, 0.96), (0.93, 0.93, 0.9), (0.9, 0.91, 0.93)),
    "grey": ((0.72, 0.72, 0.71), (0.62, 0.62, 0.6), (0.68, 0.66, 0.62)),
    "coloured": ((0.96, 0.9, 0.66), (0.8, 0.9, 0.82), (0.78, 0.86, 0.95), (0.95, 0.82, 0.84)),
}
INKS = {
    "black": ((0.08, 0.08, 0.09), (0.16, 0.16, 0.17), (0.05, 0.05, 0.08)),
    "blue": ((0.1, 0.16, 0.5), (0.16, 0.25, 0.66), (0.08, 0.12, 0.36)),
    "red": ((0.75, 0.1, 0.13), (0.85, 0.22, 0.22), (0.6, 0.08, 0.12)),
    "green": ((0.08, 0.42, 0.2), (0.15, 0.5, 0.35)),
    "violet": ((0.42, 0.12, 0.5), (0.75, 0.2, 0.5)),
    "orange": ((0.9, 0.45, 0.12),),
    "pencil": ((0.36, 0.36, 0.38), (0.5, 0.5, 0.51), (0.28, 0.28, 0.3)),
}
LINE_INKS = (
    (0.45, 0.6, 0.82),
    (0.6, 0.72, 0.88),
    (0.62, 0.62, 0.64),
    (0.78, 0.78, 0.79),
    (0.5, 0.5, 0.52),
    (0.85, 0.6, 0.6),
    (0.55, 0.75, 0.62),
    (0.66, 0.56, 0.78),
)
BLACK_LINES = ((0.08, 0.08, 0.08), (0.2, 0.2, 0.22), (0.32, 0.32, 0.34))


@dataclass(frozen=True)
class Place:
    """Where a shape lies: centre, longer side and rotation, in pixels and radians."""

    row: float
    column: float
    side: float
    angle: float = 0.0
    slant: float = 0.0
    stretch: float = 1.0
    """Width over the width that the shape has of its own."""


def blank_paper(shape: tuple[int, int], tones: str, rng: np.random.Generator) -> Light:
    """Paper with a little cloudiness and fibre."""
    palette = PAPERS[tones]
    colour = np.array(palette[rng.integers(len(palette))])
    cloud = smooth_noise(shape, max(shape) / 3, rng) * rng.uniform(0, 0.03)
    fibre = smooth_noise(shape, 1.2, rng) * rng.uniform(0, 0.012)
    return np.asarray(colour * (1 + cloud + fibre)[..., None])


def smooth_noise(shape: tuple[int, int], size: float, rng: np.random.Generator) -> Plane:
    """Noise of standard deviation 1 whose patches are ``size`` pixels wide."""
    step = max(1, int(size))
    coarse = rng.normal(size=(shape[0] // step + 4, shape[1] // step + 4))
    if step == 1:
        smooth = ndimage.gaussian_filter(coarse, size / 2)[: shape[0], : shape[1]]
        return np.asarray(smooth / smooth.std())
    image = Image.fromarray(coarse.astype(np.float32))
    large = image.resize((coarse.shape[1] * step, coarse.shape[0] * step), Image.Resampling.BICUBIC)
    return np.asarray(large, float)[step : step + shape[0], step : step + shape[1]]


def lay(picture: Light, coverage: Plane, ink: Colour) -> Light:
    """Put ink of a colour on a picture where ``coverage`` is 1, none where it is 0."""
    return np.asarray(picture * (1 - coverage[..., None] * (1 - np.array(ink))))


def line(
    shape: tuple[int, int],
    ends: tuple[tuple[float, float], tuple[float, float]],
    width: float,
    rng: np.random.Generator,
    *,
    broken: float = 0.0,
) -> Plane:
    """Coverage of a straight line from one end to the other, (row, column); a share ``broken`` of
    it is faded or missing, in pieces."""
    (row, column), (end_row, end_column) = ends
    length = max(1e-6, float(np.hypot(end_row - row, end_column - column)))
    down, across = (end_row - row) / length, (end_column - column) / length
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    off = np.abs((rows - row) * across - (columns - column) * down)
    along = (rows - row) * down + (columns - column) * across
    coverage = np.clip(width / 2 + 0.5 - off, 0, min(1.0, width))
    coverage *= np.clip(along + 0.5, 0, 1) * np.clip(length - along + 0.5, 0, 1)
    if broken > 0:
        gaps = ndimage.gaussian_filter1d(rng.normal(size=int(length) + 8), max(2, length / 25))
        faded = gaps < np.quantile(gaps, broken)
        strength = ndimage.gaussian_filter1d(np.where(faded, rng.uniform(0, 0.3), 1.0), 1)
        coverage *= np.interp(along, np.arange(len(strength)), strength)
    return np.asarray(coverage)


def shaped(
    shape: tuple[int, int], glyph: Glyph, place: Place, pen: float | None, edge: float = 1.0
) -> Plane:
    """Coverage of a shape at its place, with strokes ``pen`` pixels wide (its own where that is
    None), and an outline ``edge`` pixels soft."""
    height, width = glyph.field.shape
    scale = place.side / max(height, width * place.stretch)
    field = glyph.field
    # Distance to the outline in pixels of the picture, positive inside: a pen is a shift of it.
    distance = ndimage.distance_transform_edt(np.pad(field >= 0.5, PAD)) - (
        ndimage.distance_transform_edt(np.pad(field < 0.5, PAD, constant_values=True))
    )
    own = glyph.stroke * place.side
    grow = 0.0 if pen is None else (pen - own) / 2
    grow = min(max(grow, -0.22 * own), 0.35 * own)
    # Not so thin that a stroke breaks, nor so thick that a loop closes: it would be another digit.
    parts = topology(distance > 0)
    while abs(grow) > 0.3 and topology(distance > -grow / scale) != parts:
        grow *= 0.6
    cos, sin = np.cos(place.angle) / scale, np.sin(place.angle) / scale
    # Output pixel to input pixel, as PIL wants it: x, y.
    matrix = np.array([[cos / place.stretch, sin / place.stretch], [-sin, cos]])
    matrix[0] += place.slant * matrix[1] / place.stretch
    centre = np.array([(width - 1) / 2 + PAD, (height - 1) / 2 + PAD])
    offset = centre - matrix @ np.array([place.column, place.row])
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    moved = Image.fromarray((distance * scale).astype(np.float32)).transform(
        (shape[1], shape[0]),
        Image.Transform.AFFINE,
        data,
        Image.Resampling.BILINEAR,
        fillcolor=-1e3,
    )
    return np.clip((np.asarray(moved, float) + grow) / edge + 0.5, 0, 1)


def topology(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """In how many pieces a shape is, and the paper around and within it."""
    return int(ndimage.label(mask, np.ones((3, 3)))[1]), int(ndimage.label(~mask)[1])


PAD = 24
"""Room around a shape for a thicker pen, in pixels of the shape."""


def textured(coverage: Plane, pen: str, rng: np.random.Generator) -> Plane:
    """What a pen leaves of the full coverage: the grain of pencil, the streaks of a ballpoint, the
    even, see-through ink of a felt tip."""
    shape = (coverage.shape[0], coverage.shape[1])
    if pen == "pencil":
        grain = smooth_noise(shape, rng.uniform(1, 2.2), rng)
        return coverage * np.clip(rng.uniform(0.7, 0.95) + 0.22 * grain, 0.15, 1)
    if pen == "ballpoint":
        streaks = smooth_noise(shape, max(2.0, max(shape) / 30), rng)
        return coverage * np.clip(rng.uniform(0.85, 1) + 0.1 * streaks, 0.4, 1)
    if pen == "felt tip":
        pools = smooth_noise(shape, max(3.0, max(shape) / 12), rng)
        return coverage * np.clip(rng.uniform(0.72, 0.95) + 0.07 * pools, 0.3, 1)
    return coverage
