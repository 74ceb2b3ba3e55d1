"""The network that segments photographs finds the digit, and no line, shadow or neighbour."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.normalize import normalize_digit
from mnist_trainer.inference.digit_images.segment import find_digit
from mnist_trainer.inference.digit_images.segmentation_network import (
    SIDE,
    segment_photographs,
    window_of,
)
from mnist_trainer.inference.digit_images.segmentations import segment_by_network
from tests.photographs import BLACK, BLUE, GREY, RED, Colour, digit, photograph, squared

Bytes = NDArray[np.uint8]


def segmented(pixels: Bytes) -> DetectedDigit:
    (found,) = segment_photographs([pixels])
    assert found is not None
    return found


def difference(found: DetectedDigit, image: Bytes) -> float:
    """Mean over all pixels, in levels, from the digit itself."""
    reference = normalize_digit(image / image.max())
    return float(np.abs(found.image.astype(int) - reference).mean())


@pytest.mark.parametrize("ink", [BLACK, RED, BLUE], ids=["black", "red", "blue"])
def test_a_digit_on_squared_paper_with_a_border(some_images: LabelledImages, ink: Colour) -> None:
    lines = [*squared(0.25, GREY, 2), ((0.95, -0.1), (0.93, 1.1), BLACK, 8)]
    for label in (2, 3, 5, 8):
        image = digit(some_images, label)
        pixels = photograph(image, ink, place=(60, 90, 130), lines=lines)
        assert difference(segmented(pixels), image) < 14


def test_a_small_digit_is_looked_at_closely(some_images: LabelledImages) -> None:
    image = digit(some_images, 5)
    pixels = photograph(image, BLUE, place=(420, 60, 130), side=600)
    found = segmented(pixels)
    assert difference(found, image) < 14
    inside = Box(420, 60, 550, 190)
    assert inside.encloses(found.box)
    assert found.box.side > 80


def test_light_ink_on_a_dark_board(some_images: LabelledImages) -> None:
    image = digit(some_images, 4)
    assert difference(segmented(255 - photograph(image)), image) < 14


def test_the_edge_of_a_shadow_is_no_ink(some_images: LabelledImages) -> None:
    image = digit(some_images, 3)
    pixels = photograph(image).astype(float)
    pixels[:, 170:] *= 0.5
    assert difference(segmented(pixels.astype(np.uint8)), image) < 18


def test_nothing_is_found_on_empty_paper() -> None:
    paper = np.random.default_rng(0).normal(215, 2, (200, 160, 3))
    assert segment_photographs([paper.astype(np.uint8)]) == [None]


def test_photographs_do_not_depend_on_each_other(some_images: LabelledImages) -> None:
    photographs = [
        photograph(digit(some_images, label), place=(60, 60, 90 + 8 * label), side=200 + 20 * label)
        for label in range(10)
    ]
    alone = [segmented(each) for each in photographs]
    together = segment_photographs([*photographs, *photographs])
    for one, other in zip([*alone, *alone], together, strict=True):
        assert other is not None
        assert one.box == other.box
        assert np.abs(one.image.astype(int) - other.image).max() <= 1


def test_a_window_is_standardized_and_padded() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 300, 3), np.uint8)
    window = window_of(pixels, Box(10, 20, 60, 120))
    assert window.levels.shape == (3, SIDE // 2, SIDE)
    images = window.standardized()
    assert not images[:, SIDE // 2 :].any()
    np.testing.assert_allclose(images[:, : SIDE // 2].mean(axis=(1, 2)), 0, atol=1e-5)
    # Brighter by a constant, it is the same.
    darker = window_of((pixels // 2).astype(np.uint8), Box(10, 20, 60, 120))
    brighter = window_of((pixels // 2 + 100).astype(np.uint8), Box(10, 20, 60, 120))
    np.testing.assert_allclose(darker.standardized(), brighter.standardized(), atol=0.02)


def test_it_is_one_segmentation_more_of_a_photograph_of_a_digit(
    some_images: LabelledImages,
) -> None:
    pixels = photograph(digit(some_images, 6), RED)
    found = find_digit(pixels)
    (more,) = segment_by_network([found])
    assert more.photograph is None
    assert [each.image.tobytes() for each in more.alternatives[:-1]] == [
        each.image.tobytes() for each in found.alternatives
    ]
    assert np.array_equal(more.alternatives[-1].image, segmented(pixels).image)
    assert more.alternatives[-1].among_several == found.among_several
    # What is no photograph of a digit is left as it is.
    assert find_digit(pixels, other_things=True).photograph is None
    drawing = find_digit(np.repeat(digit(some_images, 6)[..., None], 3, axis=2))
    assert segment_by_network([drawing, replace(found, photograph=None)])[0] is drawing
