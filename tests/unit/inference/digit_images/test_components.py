import numpy as np
import pytest
from numpy.typing import NDArray

from mnist_trainer.inference.digit_images.boxes import Box
from mnist_trainer.inference.digit_images.components import label_components


def flooded(mask: NDArray[np.bool_]) -> set[frozenset[tuple[int, int]]]:
    """The pieces, each found by walking from pixel to pixel."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)}
    pieces = set()
    while left:
        edge, piece = [left.pop()], set()
        while edge:
            row, column = edge.pop()
            piece.add((row, column))
            around = {
                (row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)
            } & left
            left -= around
            edge += around
        pieces.add(frozenset(piece))
    return pieces


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.9])
def test_the_pieces_are_those_of_a_walk(share: float) -> None:
    mask = np.random.default_rng(1).random((40, 53)) < share
    labels, components = label_components(mask)
    found = {
        frozenset(
            (int(row), int(column))
            for row, column in zip(*np.nonzero(labels == piece.label), strict=True)
        )
        for piece in components
    }
    assert found == flooded(mask)
    assert [piece.area for piece in components] == sorted(
        (len(piece) for piece in found), reverse=True
    )
    for piece in components:
        rows, columns = np.nonzero(labels == piece.label)
        assert piece.box == Box(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


def test_an_empty_mask_has_none() -> None:
    labels, components = label_components(np.zeros((5, 5), bool))
    assert not labels.any()
    assert components == []
