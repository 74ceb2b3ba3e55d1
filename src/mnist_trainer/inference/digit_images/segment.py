"""The digits of a picture: one, or all of them in reading order."""

import math
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.inference.digit_images.components import Box, Component, label_components
from mnist_trainer.inference.digit_images.computer_drawing import (
    ink_of_drawing,
    mnist_like,
    published_like,
)
from mnist_trainer.inference.digit_images.normalize import (
    BOX,
    IMAGE_SIZE,
    VISIBLE,
    Ink,
    place,
    stroke_width,
)
from mnist_trainer.inference.digit_images.read_image import Colours, PictureError
from mnist_trainer.inference.digit_images.remove_background import ink_strength
from mnist_trainer.inference.digit_images.remove_lines import without_ruled_lines

PEN_DOWN = 0.4
"""Share of full ink from which a pixel of a photograph is ink for certain."""
FAINT = 0.06
"""Ink that takes less than this share of the paper's light is an empty sheet."""
PART = 0.04
"""Least area of a piece of a digit, as a share of its largest piece: less is a speck."""

SMALLEST = 0.2
"""Height of the smallest digit, as a share of that of the tall ones."""
LONG = 8.5
"""Length of the shortest stroke that is a small digit, in widths of the pen; a comma has five, all
digits but a 1 have more."""
MOST_PIECES = 300
"""More are the grain of a paper, and no writing."""

AT_THE_EDGE = 0.01
"""How much less likely a piece that the edge of the picture cuts is the digit."""

NO_INK = "there is no digit in it: nothing stands out from the background."


@dataclass(frozen=True)
class FoundDigit:
    """A digit as a network is shown it, and where in the working picture it was."""

    image: NDArray[np.uint8]
    """(28, 28), bright on black."""
    box: Box
    line: int = 0
    """Line of writing, counted from the top."""
    among_several: bool = False
    """Whether it was read as the one digit of a picture that seems to hold more of them."""


def find_digit(colours: Colours, *, other_things: bool = False) -> FoundDigit:
    """The digit of a picture that holds one.

    Args:
        other_things: the network knows no digits, so that a picture of 28x28 pixels is most likely
            one of its data set's own.

    Raises:
        PictureError: there is no ink in it.
    """
    if (image := published_like(colours) if other_things else mnist_like(colours)) is not None:
        return FoundDigit(image, Box(0, 0, IMAGE_SIZE, IMAGE_SIZE))
    ink = ink_of_drawing(colours)
    if ink is not None:
        return replace(found(ink), among_several=not other_things and holds_several(ink))
    ink = ink_of_photograph(colours)
    return replace(found(main_ink(ink)), among_several=not other_things and holds_several(ink))


def find_digits(colours: Colours) -> list[FoundDigit]:
    """All digits of a picture, line by line from the top, each line from left to right.

    Raises:
        PictureError: there is no ink in it.
    """
    ink = ink_of_drawing(colours)
    if ink is None:
        ink = ink_of_photograph(colours)
    labels, components = label_components(ink >= PEN_DOWN)
    groups = join_strokes(without_frames(components, labels, ink.shape), labels)
    if not groups:
        raise PictureError(NO_INK)
    lines = reading_order(groups)
    return [
        found(only(ink, labels, group), number)
        for number, line in enumerate(lines)
        for group in line
    ]


def holds_several(ink: Ink) -> bool:
    """Whether ink is more than one digit for certain: a digit in several strokes, or in a dashed
    pen, is one."""
    labels, components = label_components(ink >= PEN_DOWN)
    pieces = without_frames(components, labels, ink.shape)
    if len(pieces) > MOST_PIECES:
        return False
    whole = [piece for piece in pieces if not touches_edge(piece.box, ink.shape)]
    clumps: list[Box] = []
    for box in (around(group) for group in join_strokes(whole, labels)):
        near = [clump for clump in clumps if may_be_one(box, clump)]
        clumps = [clump for clump in clumps if clump not in near] + [reduce(Box.union, near, box)]
    tallest = max((clump.height for clump in clumps), default=0)
    return (
        sum(
            clump.height >= max(16, 0.4 * tallest) and clump.width <= 1.5 * clump.height
            for clump in clumps
        )
        > 1
    )


def may_be_one(one: Box, other: Box) -> bool:
    """Whether two boxes are as close as the strokes of one digit: nearly touching, or one little
    above the other."""
    height = max(one.height, other.height)
    above = min(one.right, other.right) > max(one.left, other.left)
    return one.gap(other) <= (0.35 if above else 0.08) * height


def found(ink: Ink, line: int = 0) -> FoundDigit:
    """Place a digit that is alone in its picture."""
    if ink.max() <= 0:
        raise PictureError(NO_INK)
    rows, columns = np.nonzero(ink >= VISIBLE)
    box = Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    return FoundDigit(place(ink, BOX), box, line)


def ink_of_photograph(colours: Colours) -> Ink:
    """0 for paper to 1 for full ink; lines of the paper are taken out."""
    strength = ink_strength(colours)
    least = max(FAINT, 5 * strength.noise)
    strength = without_ruled_lines(strength)
    level = strength.level()
    if level < least:
        raise PictureError(NO_INK)
    low = max(0.2 * level, min(3 * strength.noise, 0.4 * level))
    return np.asarray(np.clip((strength.values - low) / (0.85 * level - low), 0, 1), np.float64)


def main_ink(ink: Ink) -> Ink:
    """The ink of the digit only: its largest piece and those near it; no specks, frames, or things
    at the edge."""
    labels, components = label_components(ink >= PEN_DOWN)
    pieces = without_frames(components, labels, ink.shape)
    if not pieces:
        raise PictureError(NO_INK)
    main = max(pieces, key=lambda piece: weight(piece, ink.shape))
    group, box = [main], main.box
    for piece in sorted(pieces, key=lambda piece: piece.box.gap(main.box)):
        near = piece.box.gap(box) <= 0.35 * box.side
        if (
            piece is not main
            and near
            and piece.area >= PART * main.area
            and not touches_edge(piece.box, ink.shape)
        ):
            group.append(piece)
            box = box.union(piece.box)
    return only(ink, labels, group)


def only(ink: Ink, labels: NDArray[np.int32], group: list[Component]) -> Ink:
    """The ink of some pieces and the soft edge around them."""
    kept = np.isin(labels, [piece.label for piece in group])
    for _ in range(2):
        padded = np.pad(kept, 1)
        kept = kept | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return np.where(
        kept & ((labels == 0) | np.isin(labels, [piece.label for piece in group])), ink, 0.0
    )


def touches_edge(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether something goes on outside of the picture."""
    return box.top <= 1 or box.left <= 1 or box.bottom >= shape[0] - 1 or box.right >= shape[1] - 1


def weight(piece: Component, shape: tuple[int, ...]) -> float:
    """How likely a piece is the digit: large, near the middle, and not cut by the edge."""
    row = (piece.box.top + piece.box.bottom) / (2 * shape[0]) - 0.5
    column = (piece.box.left + piece.box.right) / (2 * shape[1]) - 0.5
    central = 1 - max(abs(row), abs(column))  # 1 in the middle, 0.5 at an edge
    # A line that was not taken out is long and thin; so is a 1, but not across the whole picture.
    return (
        piece.box.side
        * math.sqrt(piece.area)
        * central
        * (AT_THE_EDGE if touches_edge(piece.box, shape) else 1.0)
    )


def without_frames(
    components: list[Component], labels: NDArray[np.int32], shape: tuple[int, ...]
) -> list[Component]:
    """The pieces that are neither specks nor a frame around others."""
    kept = list(components)
    for outer in components[:3]:
        inside = [
            piece for piece in components if piece is not outer and encloses(outer.box, piece.box)
        ]
        tall = any(piece.box.side >= 0.2 * outer.box.side for piece in inside)
        wide = outer.box.height >= 0.5 * shape[0] and outer.box.width >= 0.5 * shape[1]
        if tall and wide and hollow(labels, outer):
            kept.remove(outer)
    # A table around the sheet is larger than any digit: it says nothing of how small a speck is.
    whole = [piece for piece in kept if not touches_edge(piece.box, shape)] or kept
    floor = max(4, PART * 0.25 * whole[0].area) if whole else 0
    return [piece for piece in kept if piece.area >= floor]


def encloses(outer: Box, inner: Box) -> bool:
    """Whether one box lies within the other."""
    within = outer.top <= inner.top and outer.left <= inner.left
    return within and outer.bottom >= inner.bottom and outer.right >= inner.right


def hollow(labels: NDArray[np.int32], piece: Component) -> bool:
    """Whether nearly all of a piece lies along the four sides of its box."""
    box = piece.box
    mask = labels[box.top : box.bottom, box.left : box.right] == piece.label
    rim = max(2, box.side // 12)
    return float(mask[rim:-rim, rim:-rim].sum()) < 0.1 * piece.area


def join_strokes(pieces: list[Component], labels: NDArray[np.int32]) -> list[list[Component]]:
    """Put together what one digit was written in: the bar of a 5, a stroke that a ruled line has
    cut."""
    tallest = (
        sorted(piece.box.height for piece in pieces)[-max(1, len(pieces) // 3) :] if pieces else [0]
    )
    height = float(np.median(tallest))
    groups: list[tuple[list[Component], Box]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.area):
        fitting = [
            index for index, (_, box) in enumerate(groups) if belongs(piece.box, box, height)
        ]
        if fitting:
            index = min(fitting, key=lambda index: piece.box.gap(groups[index][1]))
            group, box = groups[index]
            groups[index] = ([*group, piece], box.union(piece.box))
        else:
            groups.append(([piece], piece.box))
    # What is much smaller than the digits and joins none of them is a dot, a comma, or dirt.
    return [
        group
        for group, box in groups
        if box.height >= 0.35 * height
        or box.side >= 0.6 * height
        or is_small_digit(mask_of(group, labels, box), height)
    ]


def mask_of(group: list[Component], labels: NDArray[np.int32], box: Box) -> NDArray[np.bool_]:
    """Where in their box some pieces are."""
    return np.isin(
        labels[box.top : box.bottom, box.left : box.right], [piece.label for piece in group]
    )


def is_small_digit(mask: NDArray[np.bool_], height: float) -> bool:
    """Whether something much smaller than the digits, cropped to its box, is one itself: a long
    stroke in an open shape."""
    rows, columns = mask.shape
    if rows < max(SMALLEST * height, IMAGE_SIZE // 2) or not 0.35 * rows <= columns <= 1.2 * rows:
        return False
    area = int(mask.sum())
    return area <= 0.55 * mask.size and area >= LONG * stroke_width(mask.astype(np.float64)) ** 2


def belongs(piece: Box, digit: Box, height: float) -> bool:
    """Whether a smaller piece is part of a digit: above, below or beside it, close, and no digit of
    its own."""
    overlap = min(piece.right, digit.right) - max(piece.left, digit.left)
    narrow = min(piece.width, digit.width)
    if max(piece.bottom, digit.bottom) - min(piece.top, digit.top) > 1.35 * max(
        height, digit.height
    ):
        return False
    over = overlap >= 0.5 * narrow and piece.gap(digit) <= 0.3 * height
    # The bar of a 5 may stand off to the right; it is flat and at the top.
    bar = (
        piece.height <= 0.35 * height
        and piece.gap(digit) <= 0.15 * height
        and overlap > -0.15 * height
    )
    return over or bar


def reading_order(groups: list[list[Component]]) -> list[list[list[Component]]]:
    """Lines from top to bottom, and each from left to right."""
    lines: list[list[list[Component]]] = []
    for group in sorted(groups, key=lambda group: middle(around(group))):
        box = around(group)
        last = [around(each) for each in lines[-1]] if lines else []
        extent = max((each.height for each in last), default=0)
        near = last and abs(middle(box) - np.mean([middle(each) for each in last])) < 0.5 * max(
            extent, box.height
        )
        if near or any(is_raised(box, each) for each in last):
            lines[-1].append(group)
        else:
            lines.append([group])
    return [sorted(line, key=lambda group: around(group).left) for line in lines]


def is_raised(one: Box, other: Box) -> bool:
    """Whether the smaller of two stands beside the upper or lower end of a much taller one, as an
    exponent does."""
    small, tall = sorted((one, other), key=lambda box: box.height)
    shared = min(small.bottom, tall.bottom) - max(small.top, tall.top)
    apart = max(small.left, tall.left) - min(small.right, tall.right)
    return (
        small.height <= 0.65 * tall.height
        and shared >= 0.4 * small.height
        and -0.2 * small.width <= apart <= tall.height
    )


def around(group: list[Component]) -> Box:
    """The box around all pieces."""
    return reduce(Box.union, (piece.box for piece in group))


def middle(box: Box) -> float:
    """Row of the middle of a box."""
    return (box.top + box.bottom) / 2
