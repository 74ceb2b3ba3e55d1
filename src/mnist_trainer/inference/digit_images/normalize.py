"""Normalize a digit as MNIST does: scale into 20x20, center by mass in 28x28.

The last step of a picture's way: ``read_image``, ``computer_drawing`` or ``remove_background``,
``remove_lines``, ``candidates``, ``segment`` and this.

The page that ``mnist-export --format html`` writes does the same in JavaScript, operation by
operation: what is changed in one of these modules is to be changed in ``export/page`` too
(``picture.js``, ``background.js``, ``lines.js``, ``candidates.js``, ``segmentation.js``,
``placement.js``), and a test compares the two.

How MNIST's own images were placed: LeCun et al. 1998, section III.A;
http://yann.lecun.com/exdb/mnist. The numbers below were read off training images.
"""

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.config.settings import IMAGE_SIZE as IMAGE_SIZE

BOX = 20
"""Longer side of a digit, in pixels; that of all training images."""
CENTRE = 14.0
"""Row and column of the centre of mass, counted from 0: mean of the training images, each within
half a pixel."""
VISIBLE = 0.2
"""Share of the darkest ink from which a pixel counts as ink when the box around it is sought."""
THIN = 1.35
"""Narrowest stroke that is left as it is, in pixels of the 20x20; one in a thousand training images
is thinner."""
TIE = 0.5 + 1e-7
"""Rounding: a tie goes up, also where another order of summation has put it a little below."""

Ink = NDArray[np.float64]
"""(H, W), 0 for paper, 1 for full ink."""


def normalize_digit(ink: Ink, box: int = BOX) -> NDArray[np.uint8]:
    """Crop to the ink, fit it into a square of ``box`` pixels, and centre it by its mass in (28,
    28).

    Args:
        ink: with some of it at 1.
    """
    rows, columns = np.nonzero(ink >= VISIBLE)
    cropped = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = cropped.shape
    scale = box / max(height, width)
    size = (max(1, int(np.floor(height * scale + TIE))), max(1, int(np.floor(width * scale + TIE))))
    fitted = resample(cropped, size[0], size[1])
    if stroke_width(cropped) * scale < THIN:
        fitted = thicken(fitted)
    return center_by_mass(match_mnist_intensity(fitted))


def resample(ink: Ink, height: int, width: int) -> Ink:
    """Each new pixel is the mean over the area that it covers; between the pixels of a smaller
    image it is interpolated."""
    down = weights(ink.shape[0], height)  # (height, H)
    across = weights(ink.shape[1], width)  # (width, W)
    return np.asarray(down @ ink @ across.T)


def weights(old: int, new: int) -> NDArray[np.float64]:
    """How much each of ``old`` pixels in a row adds to each of ``new`` pixels: (new, old), each row
    sums to 1."""
    ratio = old / new
    index = np.arange(old)
    starts = np.arange(new)[:, None] * ratio
    if ratio >= 1:
        share = np.minimum(starts + ratio, index + 1) - np.maximum(starts, index)
    else:
        share = 1 - np.abs(starts + ratio / 2 - (index + 0.5))
    share = np.maximum(share, 0)
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def stroke_width(ink: Ink) -> float:
    """Mean width of the strokes, in pixels: twice their area over the length of their outline.

    The outline is the total variation along rows and columns; the factor is the mean of |cos| +
    |sin| over all directions.
    """
    padded = np.pad(ink, 1)
    outline = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    return float(2 * ink.sum() / outline * (4 / np.pi))


def thicken(ink: Ink) -> Ink:
    """Spread a hair line over its neighbours, so that it is as wide as a pen's."""
    for axis in (0, 1):
        padded = np.pad(ink, [(1, 1) if axis == each else (0, 0) for each in (0, 1)])
        before, after = np.delete(padded, [-1, -2], axis), np.delete(padded, [0, 1], axis)
        ink = ink + 0.5 * (before + after)
    return ink


def match_mnist_intensity(ink: Ink) -> NDArray[np.uint8]:
    """Bytes in which a quarter of the pixels with ink are white or nearly so, as in MNIST: hair
    lines come out brighter."""
    present = np.sort(ink[ink >= 0.1 * ink.max()])
    level = min(present[(3 * len(present)) // 4 if len(present) > 1 else 0], 1.0)
    return np.asarray(np.floor(np.minimum(ink / level, 1) * 255 + TIE), np.uint8)


def center_by_mass(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a digit into (28, 28), its centre of mass in the middle as far as whole pixels and the
    edges allow."""
    mass = digit.astype(np.float64)
    total = mass.sum()
    height, width = digit.shape
    row = (mass.sum(axis=1) * np.arange(height)).sum() / total
    column = (mass.sum(axis=0) * np.arange(width)).sum() / total
    top = int(np.clip(np.floor(CENTRE - row + TIE), 0, IMAGE_SIZE - height))
    left = int(np.clip(np.floor(CENTRE - column + TIE), 0, IMAGE_SIZE - width))
    image = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    image[top : top + height, left : left + width] = digit
    return image
