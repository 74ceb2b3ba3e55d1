"""A digit is found among the lines, borders and other things of a photograph."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.digit_images.boxes import DetectedDigit
from mnist_trainer.inference.digit_images.display import boxes
from mnist_trainer.inference.digit_images.read_image import SourceImage
from mnist_trainer.inference.digit_images.segment import find_digit, find_digits
from tests.photographs import BLACK, BLUE, GREY, RED, Colour, Point, digit, photograph, squared

Bytes = NDArray[np.uint8]
Line = tuple[Point, Point, Colour, int]
SIDES: dict[str, tuple[Point, Point]] = {
    "left": ((0.06, -0.1), (0.09, 1.1)),
    "top": ((-0.1, 0.07), (1.1, 0.04)),
    "right": ((0.93, -0.1), (0.95, 1.1)),
    "bottom": ((-0.1, 0.95), (1.1, 0.92)),
}


def difference(one: DetectedDigit, other: DetectedDigit) -> float:
    return float(np.abs(one.image.astype(int) - other.image).mean())


def with_and_without(
    image: Bytes, ink: Colour, lines: Sequence[Line], place: tuple[int, int, int] = (80, 80, 140)
) -> float:
    """How much lines change what the network is shown, in levels."""
    found = find_digit(photograph(image, ink, place=place, lines=lines))
    return difference(found, find_digit(photograph(image, ink, place=place)))


def test_a_red_digit_beside_a_black_line_is_seen(some_images: LabelledImages) -> None:
    line: list[Line] = [((0.9, 0.1), (0.9, 0.9), BLACK, 6), ((-0.1, 0.1), (1.1, 0.1), BLACK, 4)]
    for ink in (RED, BLUE, BLACK):
        assert with_and_without(digit(some_images, 3), ink, line) < 3


@pytest.mark.parametrize("ink", [RED, BLUE, BLACK], ids=["red", "blue", "black"])
def test_squared_paper_is_no_digit(some_images: LabelledImages, ink: Colour) -> None:
    for label in (3, 5, 8):
        assert with_and_without(digit(some_images, label), ink, squared(0.2, GREY, 2)) < 12


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("width", [3, 20], ids=["thin", "thick"])
def test_a_border_on_a_side_is_no_digit(some_images: LabelledImages, side: str, width: int) -> None:
    for ink in (BLACK, RED):
        border = [(*SIDES[side], BLACK, width)]
        assert with_and_without(digit(some_images, 4), ink, border) < 3


def test_dashes_of_a_border_are_not_part_of_the_digit(some_images: LabelledImages) -> None:
    dashes: list[Line] = [
        ((0.06, start), (0.06, start + 0.08), BLACK, 8) for start in np.arange(0.05, 0.9, 0.15)
    ]
    assert with_and_without(digit(some_images, 0), BLACK, dashes) < 3


def test_a_small_digit_in_a_corner_is_found_beside_borders(some_images: LabelledImages) -> None:
    borders = [(*ends, BLACK, 8) for ends in SIDES.values()]
    for place in ((30, 40, 80), (185, 185, 80)):
        assert with_and_without(digit(some_images, 5), RED, borders, place) < 3


def test_what_touches_the_edge_is_the_digit_if_it_is_all_there_is(
    some_images: LabelledImages,
) -> None:
    image = digit(some_images, 0)
    whole = photograph(image, BLACK, place=(80, 80, 200))
    left = find_digit(whole).box.left
    cut = find_digit(whole[:, left + 10 :])
    assert cut.box.left <= 1
    assert cut.box.height >= 100
    # Beside another digit it is not read.
    other = photograph(digit(some_images, 3), BLACK, place=(120, 20, 100), side=300)[:, :200]
    both = find_digit(np.concatenate([whole[:, left + 10 :], other], axis=1))
    assert both.box.left > 290 - left


def test_of_two_candidates_the_larger_in_the_middle_is_read(some_images: LabelledImages) -> None:
    three, seven = digit(some_images, 3), digit(some_images, 7)
    alone = find_digit(photograph(three, RED, place=(80, 80, 140)))
    both = photograph(three, RED, place=(80, 80, 140))
    both[:80, :80] = photograph(seven, RED, place=(5, 5, 70), side=80)
    assert difference(find_digit(both), alone) < 3


def test_a_neighbour_cut_by_the_edge_is_not_read(some_images: LabelledImages) -> None:
    three, zero = digit(some_images, 3), digit(some_images, 0)
    alone = find_digit(photograph(three, BLACK, place=(100, 100, 110)))
    picture = photograph(three, BLACK, place=(100, 100, 110))
    picture[:, 240:] = photograph(zero, BLACK, place=(30, 20, 240))[:, 40:100]
    found = find_digit(picture)
    assert difference(found, alone) < 3
    assert "at the edge" in {each.reason for each in found.rejected}


def test_each_ink_is_a_segmentation_of_its_own(some_images: LabelledImages) -> None:
    """A red 3, whose top a black 0 touches: the red alone is the 3."""
    alone = find_digit(photograph(digit(some_images, 3), RED, place=(100, 100, 110)))
    picture = photograph(digit(some_images, 3), RED, place=(100, 100, 110))
    black = photograph(digit(some_images, 0), BLACK, place=(10, 100, 110))
    picture = np.minimum(picture, black)
    found = find_digit(picture)
    segmentations = [found, *found.alternatives]
    assert min(difference(each, alone) for each in segmentations) < 4
    images = [each.image.tobytes() for each in segmentations]
    assert len(set(images)) == len(images) > 1


def test_a_1_alone_is_no_line(some_images: LabelledImages) -> None:
    for place in ((20, 20, 260), (100, 5, 80)):
        found = find_digit(photograph(digit(some_images, 1), BLACK, place=place))
        top, left, size = place
        assert found.box.height >= 0.6 * size
        assert top <= found.box.top < found.box.bottom <= top + size
        assert left <= found.box.left < found.box.right <= left + size


def test_what_was_rejected_is_drawn_with_its_reason(some_images: LabelledImages) -> None:
    lines = [(*SIDES["left"], BLACK, 8)]
    pixels = photograph(digit(some_images, 6), BLACK, lines=lines)
    found = find_digit(pixels)
    assert {each.reason for each in found.rejected} == {"line"}
    (line,) = (each.box for each in found.rejected)
    assert line.height > 280
    assert line.right < found.box.left
    small = pixels[::2, ::2]
    drawn = boxes(SourceImage(small, 1.0), [find_digit(small)], ["6"])
    assert min(drawn.size) >= 480
    plain = Image.fromarray(small).resize(drawn.size, Image.Resampling.NEAREST)
    assert (np.asarray(drawn) != np.asarray(plain)).any()


def test_boxes_of_a_form_are_read_in_order(some_images: LabelledImages) -> None:
    labels = (3, 0, 7, 2)
    cells = []
    for label in labels:
        frame: list[Line] = [(*ends, BLACK, 3) for ends in SIDES.values()]
        cells.append(photograph(digit(some_images, label), BLACK, lines=frame))
    form = np.concatenate(
        [np.concatenate(cells[:2], axis=1), np.concatenate(cells[2:], axis=1)], axis=0
    )
    found = find_digits(form)
    assert [each.line for each in found] == [0, 0, 1, 1]
    for each, label in zip(found, labels, strict=True):
        alone = find_digit(photograph(digit(some_images, label), BLACK))
        assert difference(each, alone) < 6
