"""Generated photographs: repeatable, the digit whole and where they say it is."""

import io
from pathlib import Path

import numpy as np
import pytest
from benchmarks.people_pictures import KINDS, draw_pictures
from benchmarks.photographs.failures import (
    ANOTHER_THING,
    CUT_OFF,
    MISREAD,
    MORE_THAN_IT,
    failure_class,
)
from benchmarks.photographs.glyphs import find_fonts, handwritten
from benchmarks.photographs.kinds import PHOTOGRAPHS
from benchmarks.photographs.sheet import Place, lay, line, shaped
from benchmarks.photographs.training_photographs import digits_of_photograph
from PIL import Image

from mnist_trainer.data.embedded import load_mnist_printed
from mnist_trainer.data.images import DataSet
from mnist_trainer.inference.digit_images.boxes import Box

# Printed digits need fonts, which the machine of a test may lack.
HANDWRITTEN = [kind for kind in PHOTOGRAPHS if kind.printed == 0]


def test_names_of_kinds_are_unique_and_fonts_of_training_are_left_out() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert not [path for path in find_fonts() if "dejavu" in path.lower().rpartition("/")[2]]


@pytest.mark.parametrize("kind", HANDWRITTEN, ids=lambda kind: kind.name)
def test_pictures_are_repeatable_and_hold_the_digit(kind: object, mnist: DataSet) -> None:
    digits = mnist.train.first(200)
    first, again, other = (
        list(draw_pictures(kind, digits, 4, [seed]))  # type: ignore[arg-type]
        for seed in (3, 3, 4)
    )
    assert first == again != other
    for _, picture in first:
        width, height = Image.open(io.BytesIO(picture.content)).size
        box = picture.box
        assert 0 <= box.top < box.bottom <= height
        assert 0 <= box.left < box.right <= width
        assert 0.2 * min(width, height) <= box.side <= 0.95 * max(width, height)


def test_ink_takes_light_away_whatever_lies_below() -> None:
    paper, all_over = np.ones((2, 2, 3)), np.ones((2, 2))
    red, black = (0.8, 0.1, 0.1), (0.1, 0.1, 0.1)
    assert np.allclose(lay(paper, all_over, red), red)
    assert np.allclose(lay(lay(paper, all_over, red), all_over, black), (0.08, 0.01, 0.01))
    assert np.allclose(
        lay(lay(paper, all_over, red), all_over, black),
        lay(lay(paper, all_over, black), all_over, red),
    )


def test_a_line_covers_its_length_times_its_width() -> None:
    rng = np.random.default_rng(0)
    ends = ((10.0, 5.0), (30.0, 45.0))
    covered = line((60, 60), ends, 3.0, rng)
    assert covered.sum() == pytest.approx(3 * np.hypot(20, 40), rel=0.03)
    assert line((60, 60), ends, 3.0, rng, broken=0.4).sum() < 0.9 * covered.sum()


def test_a_shape_has_the_side_and_the_pen_that_were_asked_for(mnist: DataSet) -> None:
    glyph = handwritten(mnist.train.images[1, 0].numpy(), 0)
    sides, areas = [], []
    for pen in (6.0, 7.0, 8.0):
        covered = shaped((200, 200), glyph, Place(100, 100, 100), pen)
        rows, columns = np.nonzero(covered >= 0.5)
        sides.append(max(np.ptp(rows), np.ptp(columns)) + 1)
        areas.append(covered.sum())
        assert abs((rows.min() + rows.max()) / 2 - 100) <= 2
    assert all(90 <= side <= 112 for side in sides)
    assert sorted(areas) == areas


def test_failures_are_told_apart_by_where_the_digit_was_found() -> None:
    digit = Box(20, 20, 60, 40)
    assert failure_class(Box(20, 20, 60, 40), digit, 1) == MISREAD
    assert failure_class(Box(10, 10, 30, 20), digit, 2) == MISREAD
    assert failure_class(Box(0, 0, 100, 10), digit, 1) == ANOTHER_THING
    assert failure_class(Box(20, 20, 40, 40), digit, 1) == CUT_OFF
    assert failure_class(Box(0, 0, 100, 100), digit, 1) == MORE_THAN_IT


def test_digits_for_training_are_a_function_of_their_number() -> None:
    for index in range(3):
        first, again = digits_of_photograph(index), digits_of_photograph(index)
        assert 0 < len(first) <= 3
        assert [label for _, label in first] == [label for _, label in again]
        for (one, _), (other, _) in zip(first, again, strict=True):
            assert np.array_equal(one, other)


def test_the_first_digit_for_training_is_the_one_that_is_shipped(data_root: Path) -> None:
    """Of a photograph without fonts of this machine: the array is what its script draws."""
    shipped = load_mnist_printed(data_root).train
    made = [each for index in range(4) for each in digits_of_photograph(index)]
    for (image, label), index in zip(made, range(70_000, 80_000), strict=False):
        assert label == int(shipped.labels[index])
        # Another version of FreeType or SciPy may round a pixel to another level.
        assert np.abs(image.astype(int) - shipped.images[index, 0].numpy()).mean() < 2
