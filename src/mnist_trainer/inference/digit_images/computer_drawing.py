"""Extract the ink of computer drawings, whose background is exactly one color."""

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.inference.digit_images.normalize import CENTRE, IMAGE_SIZE, Ink
from mnist_trainer.inference.digit_images.read_image import RGB

PAPER_SHARE = 0.3
"""Least share of the pixels that have exactly the paper's colour."""
LINE_SHARE = 0.95
"""A row or column with more ink than this is a ruled line or a frame: not a drawing of strokes
only."""
FAINTEST = 10
"""Least difference between ink and paper, in levels of 0 to 255: less is an empty sheet."""


def ink_of_drawing(pixels: RGB) -> Ink | None:
    """How far each pixel is from the colour of the paper, 0 to 1; None where the picture is no such
    drawing.

    The outermost pixels all have the paper's colour in a drawing. Whether ink is darker or lighter
    makes no difference.
    """
    paper = pixels[0, 0]
    ring = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    if any((edge != paper).any() for edge in ring):
        return None
    distance = np.abs(pixels.astype(np.int16) - paper).max(axis=2)  # (H, W), 0..255
    strokes = distance > 0
    if (
        strokes.mean() > 1 - PAPER_SHARE
        or max(strokes.mean(axis=0).max(), strokes.mean(axis=1).max()) >= LINE_SHARE
    ):
        return None
    most = float(distance.max())
    return distance / most if most >= FAINTEST else np.zeros(distance.shape)


def as_dataset_image(pixels: RGB) -> NDArray[np.uint8] | None:
    """A picture of 28x28 pixels, without colour and dark at its edge, as it is: what a data set of
    other things publishes."""
    if pixels.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE) or (pixels != pixels[..., :1]).any():
        return None
    grey = pixels[..., 0]
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.ascontiguousarray(grey) if np.median(edge) < 128 else None


def as_mnist_image(pixels: RGB) -> NDArray[np.uint8] | None:
    """The picture itself where it is placed as MNIST places digits, inverted where it is dark on
    white; else None.

    Placed so: 28x28 pixels without colour, ink of 16 to 22 pixels, its centre of mass within 2
    pixels of the middle.
    """
    if pixels.shape[:2] != (IMAGE_SIZE, IMAGE_SIZE) or (pixels != pixels[..., :1]).any():
        return None
    grey = pixels[..., 0]
    image = (
        255 - grey
        if np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])) == 255
        else grey
    )
    rows, columns = np.nonzero(image >= 32)
    if (image == 0).mean() < PAPER_SHARE or image.max() < 128 or len(rows) == 0:
        return None
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    mass = image.astype(np.float64)
    centre = [
        float((mass.sum(axis=axis) * np.arange(IMAGE_SIZE)).sum() / mass.sum()) for axis in (0, 1)
    ]
    placed = 16 <= side <= 22 and all(abs(place - CENTRE) <= 2 for place in centre)
    return np.ascontiguousarray(image) if placed else None
