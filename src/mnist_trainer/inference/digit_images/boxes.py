"""Bounding boxes, and a digit that was detected in one."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Box:
    """Rows ``top`` to ``bottom - 1`` and columns ``left`` to ``right - 1``, in pixels."""

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

    @property
    def middle_row(self) -> float:
        """Row of the center."""
        return (self.top + self.bottom) / 2

    def union(self, other: "Box") -> "Box":
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def gap(self, other: "Box") -> int:
        """Chebyshev distance in pixels; 0 where the two touch or overlap."""
        across = max(self.left, other.left) - min(self.right, other.right)
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(across, down, 0)

    def scaled(self, factor: int) -> "Box":
        """The same box in an image whose sides are ``factor`` times as long."""
        return Box(self.top * factor, self.left * factor, self.bottom * factor, self.right * factor)

    def encloses(self, other: "Box") -> bool:
        """Whether ``other`` lies within this box."""
        return self.union(other) == self

    def touches_edge(self, shape: tuple[int, ...]) -> bool:
        """Whether the box reaches the border of an image of this shape, give or take a pixel."""
        return (
            self.top <= 1
            or self.left <= 1
            or self.bottom >= shape[0] - 1
            or self.right >= shape[1] - 1
        )


@dataclass(frozen=True)
class Rejected:
    """Something in the picture that is no digit, or not the one that was asked for, and why."""

    box: Box
    reason: str


@dataclass(frozen=True)
class DetectedDigit:
    """A digit as the network sees it, and its place in the working image."""

    image: NDArray[np.uint8]
    """(28, 28), bright on black."""
    box: Box
    line: int = 0
    """Index of the line of text, from the top."""
    among_several: bool = False
    """Whether one digit was asked for and the image seems to contain more."""
    rejected: tuple[Rejected, ...] = ()
    """What else stood out in a photograph of one digit."""
    score: float = 1.0
    """How like a digit its ink is by size, place and contrast, beside its alternatives."""
    alternatives: tuple["DetectedDigit", ...] = ()
    """Other segmentations of a photograph of one digit: of ink of one colour or any, with and
    without what belongs to the edge of the picture. The network has the last word."""
    photograph: NDArray[np.uint8] | None = None
    """(H, W, 3): the working image, where a network is to segment its digit too."""

    def scaled(self, factor: int) -> "DetectedDigit":
        """The same in an image whose sides are ``factor`` times as long."""
        rejected = tuple(replace(each, box=each.box.scaled(factor)) for each in self.rejected)
        return replace(self, box=self.box.scaled(factor), rejected=rejected)
