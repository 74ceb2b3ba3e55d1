"""Columns of the table of epochs, as many as the terminal is wide enough for."""

from collections.abc import Collection

WIDTHS = (6, 12, 11, 17, 11, 10, 10, 9)
"""Epoch, loss and accuracy of training and of what is scored, learning rate, speed, seconds."""
DROPPED_FIRST = (6, 5, 7, 1)
"""Columns in the order in which a narrow terminal goes without them."""
SCORED = (3, 4)


def columns_left_out(width: int) -> set[int]:
    """Columns of the table of epochs for which a terminal is too narrow."""
    left_out: set[int] = set()
    for place in DROPPED_FIRST:
        shown = (each for column, each in enumerate(WIDTHS) if column not in left_out)
        if sum(shown) + len("  best") < width:
            break
        left_out.add(place)
    return left_out


def head_of(left_out: Collection[int], scored: str) -> str:
    """The names of the columns.

    Args:
        scored: validation or test; empty where nothing is scored.
    """
    loss = f"{scored} loss" if scored else ""
    return row_of(
        left_out,
        *("epoch", "train loss", "accuracy", loss, "accuracy", "lr", "images/s", "seconds"),
    )


def row_of(left_out: Collection[int], *cells: str) -> str:
    """A row; without the columns of scores where nothing is scored."""
    hidden = (*left_out, *(() if cells[SCORED[0]] else SCORED))
    return "".join(
        f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(cells, WIDTHS, strict=True))
        if place not in hidden
    )
