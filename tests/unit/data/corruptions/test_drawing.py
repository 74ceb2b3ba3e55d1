"""Lines, worked by hand."""

import math

import pytest
import torch

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.drawing import (
    _dotted_lines,
    _zigzag_points,
    dotted_line,
    zigzag,
)

COUNT = 200


def rng() -> CounterRNG:
    return CounterRNG.of_images(0, "lines", 0, COUNT, torch.device("cpu"))


def test_a_level_dotted_line_is_two_columns_of_four() -> None:
    line = _dotted_lines(28, 28, 2.3)[10, 10]
    shown = [column for column in range(27) if column % 4 >= 2]
    assert [column for column in range(28) if line[10, column] == 1] == shown
    assert line[11, 2] == line[9, 2] == pytest.approx(1 + math.log(1 - 1 / 2.3), abs=1e-6)
    assert line[12, 2] == 0


def test_a_dotted_line_goes_straight_between_its_ends() -> None:
    line = _dotted_lines(28, 28, 2.3)[0, 26]
    for column in (2, 14, 26):
        assert line[:, column].argmax() == round(26 * column / 27)


def test_a_level_zigzag_has_corners_two_pixels_up_and_down() -> None:
    columns, rows = _zigzag_points(23, 0)
    assert columns.tolist() == [2, 4, 8, 12, 16, 20, 24, 25]
    assert rows.tolist()[:-1] == [0, 2, -2, 2, -2, 2, -2]


def test_a_tilted_zigzag_ends_where_it_is_to() -> None:
    columns, rows = _zigzag_points(23, -5)
    slope = [row / (column - 2) for row, column in zip(rows[2:], columns[2:], strict=True)]
    assert min(slope) > -5 / 23 - 0.6
    assert columns[-1] == pytest.approx(25, abs=0.3)
    assert rows[-1] == pytest.approx(-5, abs=0.5)


@pytest.mark.parametrize("kernel", [dotted_line, zigzag])
def test_lines_only_add_ink_at_many_places(kernel: object) -> None:
    drawn = kernel(torch.zeros(COUNT, 28, 28), 2.3, rng())  # type: ignore[operator]
    assert float(drawn.min()) == 0
    assert float(drawn.max()) == 1
    assert len(drawn.flatten(1).unique(dim=0)) > 100
    # Ink in each of the image's halves, but where a zigzag runs out of it.
    for half in (drawn[:, :, :14], drawn[:, :, 14:]):
        assert float((half.sum(dim=(1, 2)) > 2).float().mean()) > 0.95
