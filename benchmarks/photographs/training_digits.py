"""Digits drawn for training: printed ones of fonts that come with matplotlib, and written ones as
Europe writes them, which MNIST has few of: a 1 with an upstroke, a 7 with a bar, an open 4."""

from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from benchmarks.photographs.glyphs import Plane, render

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
NAMES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
    "cmr10", "cmb10", "cmss10", "cmti10", "cmtt10",
)  # fmt: skip
FOOTLESS = 0.6
"""Share of the printed 1s that have no foot."""

Points = tuple[tuple[float, float], ...]
Strokes = tuple[tuple[bool, Points], ...]
"""Each stroke: whether it is bent smoothly, and the points it goes through, x and y, 0 to 1."""

BELLY: Points = ((0.2, 0.45), (0.55, 0.38), (0.78, 0.65), (0.6, 0.95), (0.3, 1.0), (0.08, 0.88))
HANDS: dict[int, tuple[Strokes, ...]] = {
    0: (
        ((True, ((0.5, 0), (0.15, 0.2), (0.05, 0.6), (0.3, 1), (0.65, 0.9), (0.8, 0.4),
                 (0.5, 0))),),
        ((True, ((0.4, 0), (0.1, 0.5), (0.4, 1), (0.7, 0.5), (0.4, 0))),),
    ),
    1: (
        ((False, ((0.1, 0.42), (0.5, 0), (0.5, 1))),),
        ((False, ((0.2, 0.3), (0.5, 0), (0.5, 1))),),
        ((False, ((0.0, 0.6), (0.5, 0), (0.45, 1))),),
        ((False, ((0.15, 0.35), (0.5, 0), (0.5, 1))), (False, ((0.2, 1), (0.8, 1)))),
        ((False, ((0.25, 0.22), (0.5, 0), (0.5, 1))), (False, ((0.3, 1), (0.7, 1)))),
    ),
    2: (
        ((True, ((0.1, 0.25), (0.35, 0), (0.7, 0.15), (0.6, 0.5), (0.1, 1))),
         (False, ((0.1, 1), (0.8, 1)))),
        ((True, ((0.05, 0.2), (0.4, 0), (0.72, 0.25), (0.4, 0.7), (0.05, 1), (0.4, 0.95),
                 (0.8, 1))),),
    ),
    3: (
        ((False, ((0.1, 0), (0.72, 0), (0.35, 0.4))),
         (True, ((0.35, 0.4), (0.75, 0.6), (0.6, 0.95), (0.05, 0.92)))),
        ((True, ((0.1, 0.1), (0.5, 0), (0.68, 0.22), (0.35, 0.45))),
         (True, ((0.35, 0.45), (0.75, 0.65), (0.55, 1), (0.05, 0.9)))),
    ),
    4: (
        ((False, ((0.4, 0), (0.05, 0.62), (0.85, 0.62))), (False, ((0.6, 0.35), (0.55, 1)))),
        ((False, ((0.25, 0), (0.05, 0.55), (0.8, 0.55))), (False, ((0.65, 0.05), (0.6, 1)))),
        ((False, ((0.6, 1), (0.6, 0), (0.05, 0.68), (0.85, 0.68))),),
    ),
    5: (
        ((False, ((0.72, 0), (0.22, 0), (0.18, 0.45))), (True, BELLY)),
        ((False, ((0.25, 0), (0.2, 0.45))), (True, BELLY), (False, ((0.25, 0), (0.8, 0.02)))),
    ),
    6: (
        ((True, ((0.65, 0), (0.25, 0.3), (0.08, 0.7), (0.35, 1), (0.7, 0.8), (0.5, 0.55),
                 (0.12, 0.75))),),
        ((True, ((0.45, 0), (0.15, 0.45), (0.1, 0.85), (0.45, 1), (0.65, 0.75), (0.4, 0.58),
                 (0.12, 0.8))),),
    ),
    7: (
        ((False, ((0.05, 0.03), (0.78, 0.03), (0.3, 1))), (False, ((0.2, 0.5), (0.75, 0.48)))),
        ((False, ((0.05, 0.15), (0.08, 0), (0.75, 0), (0.35, 1))),
         (False, ((0.25, 0.52), (0.72, 0.5)))),
        ((False, ((0.05, 0.02), (0.75, 0), (0.4, 1))),),
    ),
    8: (
        ((True, ((0.65, 0.12), (0.35, 0), (0.15, 0.22), (0.4, 0.45), (0.7, 0.75), (0.4, 1),
                 (0.08, 0.75), (0.4, 0.45), (0.65, 0.12))),),
        ((True, ((0.4, 0), (0.15, 0.22), (0.4, 0.45), (0.65, 0.22), (0.4, 0))),
         (True, ((0.4, 0.45), (0.08, 0.72), (0.4, 1), (0.72, 0.72), (0.4, 0.45)))),
    ),
    9: (
        ((True, ((0.7, 0.2), (0.4, 0), (0.1, 0.25), (0.35, 0.5), (0.7, 0.2))),
         (False, ((0.7, 0.15), (0.65, 1)))),
        ((True, ((0.7, 0.2), (0.4, 0), (0.1, 0.25), (0.35, 0.5), (0.7, 0.2))),
         (True, ((0.7, 0.15), (0.72, 0.6), (0.5, 0.95), (0.1, 0.95)))),
    ),
}  # fmt: skip
"""Ways to write each digit."""


def written(label: int, rng: np.random.Generator) -> Plane:
    """A digit in one of its ways, its points shaken, with a round pen."""
    side, margin = 200, 40
    image = Image.new("L", (side + 2 * margin, side + 2 * margin))
    draw = ImageDraw.Draw(image)
    ways = HANDS[label]
    pen = side * rng.uniform(0.05, 0.14)
    width, slant = rng.uniform(0.55, 0.95), rng.uniform(-0.1, 0.3)
    moved: dict[tuple[float, float], NDArray[np.float64]] = {}
    for smooth, points in ways[rng.integers(len(ways))]:
        # A point that two strokes share stays shared.
        place = [moved.setdefault(each, rng.normal(each, 0.03)) for each in points]
        path = np.array(place)
        path = bent(path) if smooth else path
        x = (path[:, 0] + slant * (1 - path[:, 1]) * 0.5) * width * side + margin
        y = path[:, 1] * side + margin
        line = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.line(line, fill=255, width=max(1, round(pen)), joint="curve")
        for along, down in line:
            radius = pen / 2
            draw.ellipse((along - radius, down - radius, along + radius, down + radius), fill=255)
    return np.asarray(image, float) / 255


def bent(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth curve through points: Catmull and Rom 1974, in sixteen steps each."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    steps = np.linspace(0, 1, 16, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 2 * b + (c - a) * steps + (2 * a - 5 * b + 4 * c - d) * steps**2
        pieces.append((cubic + (3 * b - a - 3 * c + d) * steps**3) / 2)
    return np.concatenate([*pieces, points[-1:]])


def printed(label: int, rng: np.random.Generator) -> Plane:
    """A digit of a font, wider or narrower, bolder or lighter."""
    if label == 1 and rng.random() < FOOTLESS:
        return footless_one(rng)
    field = render(str(FONTS / f"{NAMES[rng.integers(len(NAMES))]}.ttf"), str(label))
    image = Image.fromarray((255 * np.pad(field, 8)).astype(np.uint8))
    size = (max(8, int(image.width * rng.uniform(0.75, 1.15))), image.height)
    wide = np.asarray(image.resize(size, Image.Resampling.BICUBIC), float) / 255
    soft = ndimage.gaussian_filter(wide, rng.uniform(0.8, 4))
    # The level of the outline decides how bold the digit is.
    level = rng.uniform(0.3, 0.6) * soft.max()
    return np.asarray(np.clip((soft - level) * 4 + 0.5, 0, 1))


def footless_one(rng: np.random.Generator) -> Plane:
    """A printed 1 of a stem and a flag alone, as most fonts without serifs have it: none of the
    fonts above does, and a network that knows only theirs reads it as 7."""
    image = Image.new("L", (240, 240))
    draw = ImageDraw.Draw(image)
    stem, right = rng.uniform(14, 58), 150.0
    lean = rng.uniform(0, 40) if rng.random() < 0.3 else 0.0
    draw.polygon(
        [(right - stem + lean, 20), (right + lean, 20), (right, 220), (right - stem, 220)], fill=255
    )
    reach = rng.uniform(20, 95)
    drop = reach * rng.uniform(0.45, 1.3)  # Flatter, it would be a 7.
    thickness = stem * rng.uniform(0.45, 1.1)
    top = [(right - stem + lean + 0.3 * stem, 20), (right - stem + lean - reach, 20 + drop)]
    below = [(x, y + thickness) for x, y in reversed(top)]
    draw.polygon(top + below, fill=255)
    return np.asarray(image, float) / 255
