"""Photographs of one digit for tests: ink of a colour on paper, with lines at given places."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mnist_trainer.data.images import LabelledImages

BLACK, RED, BLUE, GREY = (30, 30, 32), (195, 35, 45), (40, 60, 165), (120, 122, 125)
PAPER = (240, 238, 230)

Colour = tuple[int, int, int]
Point = tuple[float, float]


def digit(images: LabelledImages, label: int) -> NDArray[np.uint8]:
    """The first image of a class."""
    index = int((images.labels == label).nonzero()[0, 0])
    return np.asarray(images.images[index, 0].numpy())


def photograph(
    digit: NDArray[np.uint8],
    ink: Colour = BLACK,
    *,
    place: tuple[int, int, int] = (80, 80, 140),
    side: int = 300,
    lines: Sequence[tuple[Point, Point, Colour, int]] = (),
    seed: int = 0,
) -> NDArray[np.uint8]:
    """(side, side, 3): a digit, lines below it, some grain and uneven light.

    Args:
        digit: (28, 28), bright on black.
        place: top, left and side of the square that it is enlarged to.
        lines: start and end as shares of the picture, (across, down); colour; width in pixels.
    """
    sheet = Image.new("RGB", (side, side), PAPER)
    draw = ImageDraw.Draw(sheet)
    for start, end, colour, width in lines:
        draw.line([(side * x, side * y) for x, y in (start, end)], fill=colour, width=width)
    top, left, size = place
    large = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    coverage = np.zeros((side, side, 1))
    coverage[top : top + size, left : left + size, 0] = np.asarray(large, float) / 255
    paper = np.asarray(sheet, float)
    picture = paper * (1 - coverage) + np.minimum(paper, ink) * coverage
    picture *= np.linspace(1, 0.85, side)[:, None, None]
    picture += np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.asarray(np.clip(np.round(picture), 0, 255), np.uint8)


def squared(spacing: float, colour: Colour, width: int) -> list[tuple[Point, Point, Colour, int]]:
    """The lines of squared paper, a little skewed."""
    places = np.arange(spacing / 2, 1, spacing)
    across = [((-0.1, at), (1.1, at + 0.02), colour, width) for at in places]
    down = [((at, -0.1), (at - 0.02, 1.1), colour, width) for at in places]
    return [*across, *down]
