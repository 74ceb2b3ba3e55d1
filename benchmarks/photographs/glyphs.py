"""Shapes of digits: handwritten ones of MNIST, and printed ones of the fonts of this machine."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from mnist_trainer.inference.digit_images.boxes import Box

Plane = NDArray[np.float64]
"""(H, W)."""

GLYPH_SIDE = 112
"""Longer side of a shape, in pixels: a digit is drawn at most a few times as large."""
TRAINED_FAMILIES = ("dejavu", "bitstream vera")
"""Fonts whose digits a network may be trained with; they are never drawn here."""
NO_DIGITS = (
    "symbol",
    "dingbat",
    "emoji",
    "math",
    "music",
    "mathjax",
    "icon",
    "braille",
    "d050000l",
    "standardsymbols",
    "keyboard",
    "biolinum_k",
    "initials",
    "outline",
)
"""Parts of the names of fonts whose digits are none, or are ornaments."""


@dataclass(frozen=True)
class Picture:
    """A picture file and where in it the digit is."""

    content: bytes
    box: Box
    """In pixels of the file, to a few pixels."""
    coverage: Plane | None = field(default=None, compare=False)
    """(H, W): how much of each pixel of a photograph the digit covers, 0..1."""


@dataclass(frozen=True)
class Glyph:
    """The shape of a digit, cropped to its ink."""

    field: Plane
    """(H, W), 0..1; the outline is where it crosses a half."""
    label: int
    source: str
    """``handwritten``, or the name of a font."""
    stroke: float
    """Width of the strokes as a share of the longer side."""


def handwritten(image: NDArray[np.uint8], label: int) -> Glyph:
    """A digit of (28, 28) as a smooth shape."""
    large = Image.fromarray(image).resize((28 * 6, 28 * 6), Image.Resampling.BICUBIC)
    field = ndimage.gaussian_filter(np.asarray(large, float) / 255, 1.5)
    return shape_of(field, label, "handwritten")


def printed(path: str, label: int) -> Glyph:
    """A digit of a font."""
    return shape_of(render(path, str(label)), label, Path(path).stem)


def shape_of(field: Plane, label: int, source: str) -> Glyph:
    """The shape in a plane of 0..1, cropped to its ink, with the width of its strokes."""
    rows, columns = np.nonzero(field >= 0.25)
    field = field[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    # Twice the mean distance to the outline, twice: a stroke's middle is half its width away.
    inside = ndimage.distance_transform_edt(np.pad(field >= 0.5, 1))
    width = 4 * float(inside[inside > 0].mean()) - 1
    return Glyph(field, label, source, max(width, 1.0) / max(field.shape))


def render(path: str, text: str) -> Plane:
    """Text in a font, 140 pixels to the em, 0..1, with a rim of four pixels."""
    font = ImageFont.truetype(path, 140)
    left, top, right, bottom = font.getbbox(text)
    size = (max(1, round(right - left)) + 8, max(1, round(bottom - top)) + 8)
    image = Image.new("L", size)
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    return np.asarray(image, float) / 255


@cache
def find_fonts() -> tuple[str, ...]:
    """Files of the fonts of this machine that have upright figures of one height, without those
    that a network is trained with; fonts with the same digits count once. In the order of their
    names.
    """
    found: dict[bytes, str] = {}
    for path in sorted(font_manager.findSystemFonts(), key=lambda path: Path(path).name):
        name = Path(path).name.lower().replace("-", "").replace(" ", "")
        if any(word.replace(" ", "") in name for word in (*TRAINED_FAMILIES, *NO_DIGITS)):
            continue
        digits = _digits_of(path)
        if digits is not None:
            found.setdefault(digits, path)
    return tuple(found.values())


def _digits_of(path: str) -> bytes | None:
    """A hash of the digits of a font; None where it lacks some, or has old-style figures."""
    try:
        images = [render(path, text) for text in "0123456789"]
        missing = render(path, "\U0010fffe")
    except (OSError, ValueError):
        return None
    filled = [image.max() > 0.5 and image.shape[0] > 40 for image in images]
    heights = [image.shape[0] for image in images]
    same = len({image.tobytes() for image in images}) < 10
    lacking = any(
        image.shape == missing.shape and np.array_equal(image, missing) for image in images
    )
    if not all(filled) or same or lacking or min(heights) < 0.88 * max(heights):
        return None
    return hashlib.sha256(b"".join(image.tobytes() for image in images)).digest()


def pick_font(fonts: Sequence[str], rng: np.random.Generator) -> str:
    """A font by chance, each family as likely as another, however many weights it has.

    Raises:
        SystemExit: there are no fonts.
    """
    if not fonts:
        raise SystemExit("No fonts were found: install some, such as Debian's fonts-liberation.")
    families: dict[str, list[str]] = {}
    for path in fonts:
        families.setdefault(Path(path).stem.split("-")[0][:8], []).append(path)
    family = list(families.values())[rng.integers(len(families))]
    return family[rng.integers(len(family))]


def fonts_named(fonts: Sequence[str]) -> str:
    """How many fonts, and a hash of their names: which fonts are there changes the pictures."""
    names = "\n".join(Path(path).name for path in fonts)
    return f"{len(fonts)} fonts ({hashlib.sha256(names.encode()).hexdigest()[:8]})"
