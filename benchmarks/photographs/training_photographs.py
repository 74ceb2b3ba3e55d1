"""Digits as segmentation leaves them: printed and written ones are photographed, and found."""

import io
from collections.abc import Iterator
from itertools import count
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from benchmarks.photographs.failures import MISREAD, MORE_THAN_IT, failure_class
from benchmarks.photographs.glyphs import Glyph, shape_of
from benchmarks.photographs.kinds import PHOTOGRAPHS, photograph
from benchmarks.photographs.training_digits import printed, written
from mnist_trainer.inference.digit_images.prepare import WORKING_SIDE
from mnist_trainer.inference.digit_images.read_image import ImageError, read_image
from mnist_trainer.inference.digit_images.segment import find_digit
from mnist_trainer.inference.digit_images.segmentations import segment_by_network

SEED = 7
MOST = 3
"""Segmentations of a photograph that are kept at most: the network's, and others by chance."""

LabelledDigit = tuple[NDArray[np.uint8], int]


def photographed_digits() -> Iterator[LabelledDigit]:
    """Segmentations of photographs, without end: images (28, 28) that show all of the digit, if
    with something else, each with its label. None of them derives from an image of MNIST."""
    with get_context("spawn").Pool() as pool:
        for digits in pool.imap(digits_of_photograph, count(), chunksize=16):
            yield from digits


def digits_of_photograph(index: int) -> list[LabelledDigit]:
    """The segmentations that are kept of one photograph: a function of its number alone."""
    rng = np.random.default_rng([SEED, index])
    kind = PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))]
    glyph = any_glyph(rng, max(kind.printed, 0.3))
    picture = photograph(glyph, kind, [any_glyph(rng, 0.0) for _ in range(3)], rng)
    source = read_image(io.BytesIO(picture.content), WORKING_SIDE)
    try:
        (digit,) = segment_by_network([find_digit(source.pixels)])
    except ImageError:
        return []
    # The segmentation network's comes first.
    whole = [
        each.image
        for each in reversed((digit, *digit.alternatives))
        if failure_class(each.box, picture.box, source.scale) in (MISREAD, MORE_THAN_IT)
    ]
    others = rng.permutation(np.arange(1, len(whole)))[: MOST - 1]
    return [(in_few_levels(whole[i]), glyph.label) for i in (0, *others) if i < len(whole)]


def in_few_levels(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image in 16 grey levels: half as large when compressed."""
    return np.asarray(np.floor(image / 17 + 0.5) * 17, np.uint8)


def any_glyph(rng: np.random.Generator, share_printed: float) -> Glyph:
    """A digit, printed or written."""
    label = int(rng.integers(10))
    if rng.random() < share_printed:
        return shape_of(printed(label, rng), label, "printed")
    return shape_of(written(label, rng), label, "handwritten")
