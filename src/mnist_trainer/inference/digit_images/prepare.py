"""Detect the digit of one picture of people's own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from mnist_trainer.errors import DataError
from mnist_trainer.inference.digit_images.boxes import DetectedDigit
from mnist_trainer.inference.digit_images.read_image import ImageError, decode, read_image

WORKING_SIDE = 640
"""Longer side to which a larger picture is averaged down, in pixels."""
DIGIT_NAMES = tuple("0123456789")

Picture = str | Path | Image.Image


def knows_digits(class_names: Sequence[str]) -> bool:
    """Whether the first ten classes are the digits."""
    return tuple(class_names[:10]) == DIGIT_NAMES


def is_picture(value: Any) -> bool:
    """Whether a value is a path or an image of Pillow, and no array."""
    return isinstance(value, Picture)


def digit_of_picture(picture: Picture, class_names: Sequence[str]) -> DetectedDigit:
    """The digit that ``mnist-predict`` finds in a picture of one.

    Args:
        picture: a file, or an image of Pillow, which stays as it is.
        class_names: what the network tells apart.

    Raises:
        DataError: the picture cannot be used; names the file.
    """
    # Late: SciPy takes a moment.
    from mnist_trainer.inference.digit_images.segment import find_digit

    try:
        if isinstance(picture, Image.Image):
            source = decode(picture.copy(), WORKING_SIDE)
        elif Path(picture).is_dir():
            raise ImageError("a folder. Name its files: sorted(Path(FOLDER).glob('*.png'))")
        else:
            source = read_image(Path(picture).expanduser(), WORKING_SIDE)
        return find_digit(source.pixels, other_things=not knows_digits(class_names))
    except ImageError as error:
        name = (
            f"{picture.mode} image of {picture.width} x {picture.height} pixels"
            if isinstance(picture, Image.Image)
            else str(picture)
        )
        raise DataError(f"{name}: {error}") from error
