"""Connected components of a mask, by its horizontal runs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def side(self) -> int:
        """The longer side."""
        return max(self.height, self.width)

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def gap(self, other: "Box") -> int:
        """Pixels between the two, along the axis on which they are farther apart; 0 where they
        touch or overlap."""
        across = max(self.left, other.left) - min(self.right, other.right)
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(across, down, 0)


@dataclass(frozen=True)
class Component:
    """A connected piece of a mask."""

    label: int
    area: int
    box: Box


def label_components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], list[Component]]:
    """Number the pieces of a mask that touch, also by corners.

    Returns:
        Labels of the shape of the mask, 0 where it is empty, and the pieces, largest first.
    """
    height, width = mask.shape
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    labels = np.zeros((height, width), np.int32)
    if len(rows) == 0:
        return labels, []
    roots = unite_runs(rows, starts, ends)
    unique, index = np.unique(roots, return_inverse=True)
    lengths = ends - starts
    areas = np.bincount(index, weights=lengths)
    tops, lefts = np.full(len(unique), height), np.full(len(unique), width)
    bottoms, rights = np.zeros(len(unique), int), np.zeros(len(unique), int)
    np.minimum.at(tops, index, rows)
    np.minimum.at(lefts, index, starts)
    np.maximum.at(bottoms, index, rows + 1)
    np.maximum.at(rights, index, ends)
    labels[mask] = np.repeat(index + 1, lengths)
    found = [
        Component(
            i + 1, int(areas[i]), Box(int(tops[i]), int(lefts[i]), int(bottoms[i]), int(rights[i]))
        )
        for i in range(len(unique))
    ]
    return labels, sorted(found, key=lambda component: -component.area)


def unite_runs(
    rows: NDArray[np.intp], starts: NDArray[np.intp], ends: NDArray[np.intp]
) -> list[int]:
    """For each run the first run of its component; runs are sorted by row, then by start."""
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    row_list, start_list, end_list = rows.tolist(), starts.tolist(), ends.tolist()
    above = 0
    for run in range(len(parents)):
        row = row_list[run]
        while row_list[above] < row - 1:
            above += 1
        # Runs of the row above that end before this one begins touch no later run of this row
        # either.
        while row_list[above] == row - 1 and end_list[above] < start_list[run]:
            above += 1
        other = above
        while row_list[other] == row - 1 and start_list[other] <= end_list[run]:
            first, second = sorted((root(other), root(run)))
            parents[second] = first
            other += 1
    return [root(run) for run in range(len(parents))]
