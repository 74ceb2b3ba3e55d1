"""Segment the digits of an image: the main one, or all of them in reading order."""

import math
from dataclasses import replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.components import Component, label_components
from mnist_trainer.inference.digit_images.computer_drawing import (
    as_dataset_image,
    as_mnist_image,
    ink_of_drawing,
)
from mnist_trainer.inference.digit_images.group_strokes import (
    bounding_box,
    group_strokes,
    reading_order,
)
from mnist_trainer.inference.digit_images.normalize import (
    IMAGE_SIZE,
    VISIBLE,
    Ink,
    normalize_digit,
)
from mnist_trainer.inference.digit_images.read_image import RGB, ImageError
from mnist_trainer.inference.digit_images.remove_background import subtract_background
from mnist_trainer.inference.digit_images.remove_lines import remove_ruled_lines

INK_THRESHOLD = 0.4
"""Share of full ink from which a pixel of a photograph is ink for certain."""
MIN_CONTRAST = 0.06
"""Ink that takes less than this share of the paper's light is an empty sheet."""
MIN_PART = 0.04
"""Least area of a component of a digit, as a share of its largest component: less is a speck."""

MAX_COMPONENTS = 300
"""More are the grain of a paper, and no writing."""

AT_THE_EDGE = 0.01
"""How much less likely a component that the edge of the picture cuts is the digit."""

NO_INK = "there is no digit in it: nothing stands out from the background."


def find_digit(pixels: RGB, *, other_things: bool = False) -> DetectedDigit:
    """The digit of a picture that holds one.

    Args:
        other_things: the network knows no digits, so that a picture of 28x28 pixels is most likely
            one of its data set's own.

    Raises:
        ImageError: there is no ink in it.
    """
    if (image := as_dataset_image(pixels) if other_things else as_mnist_image(pixels)) is not None:
        return DetectedDigit(image, Box(0, 0, IMAGE_SIZE, IMAGE_SIZE))
    ink = ink_of_drawing(pixels)
    if ink is not None:
        return replace(
            detected_digit(ink), among_several=not other_things and contains_several_digits(ink)
        )
    ink = ink_of_photograph(pixels)
    return replace(
        detected_digit(isolate_main_digit(ink)),
        among_several=not other_things and contains_several_digits(ink),
    )


def find_digits(pixels: RGB) -> list[DetectedDigit]:
    """All digits of a picture, line by line from the top, each line from left to right.

    Raises:
        ImageError: there is no ink in it.
    """
    ink = ink_of_drawing(pixels)
    if ink is None:
        ink = ink_of_photograph(pixels)
    labels, components = label_components(ink >= INK_THRESHOLD)
    groups = group_strokes(remove_frames_and_specks(components, labels, ink.shape), labels)
    if not groups:
        raise ImageError(NO_INK)
    lines = reading_order(groups)
    return [
        detected_digit(keep_components(ink, labels, group), number)
        for number, line in enumerate(lines)
        for group in line
    ]


def contains_several_digits(ink: Ink) -> bool:
    """Whether ink is more than one digit for certain: a digit in several strokes, or in a dashed
    pen, is one."""
    labels, components = label_components(ink >= INK_THRESHOLD)
    components = remove_frames_and_specks(components, labels, ink.shape)
    if len(components) > MAX_COMPONENTS:
        return False
    whole = [component for component in components if not component.box.touches_edge(ink.shape)]
    clumps: list[Box] = []
    for box in (bounding_box(group) for group in group_strokes(whole, labels)):
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


def detected_digit(ink: Ink, line: int = 0) -> DetectedDigit:
    """Place a digit that is alone in its picture."""
    if ink.max() <= 0:
        raise ImageError(NO_INK)
    rows, columns = np.nonzero(ink >= VISIBLE)
    box = Box(int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    return DetectedDigit(normalize_digit(ink), box, line)


def ink_of_photograph(pixels: RGB) -> Ink:
    """0 for paper to 1 for full ink; lines of the paper are taken out."""
    strength = subtract_background(pixels)
    least = max(MIN_CONTRAST, 5 * strength.noise)
    strength = remove_ruled_lines(strength)
    level = strength.level()
    if level < least:
        raise ImageError(NO_INK)
    low = max(0.2 * level, min(3 * strength.noise, 0.4 * level))
    return np.asarray(np.clip((strength.values - low) / (0.85 * level - low), 0, 1), np.float64)


def isolate_main_digit(ink: Ink) -> Ink:
    """The ink of the digit only: its largest component and those near it; no specks, frames, or
    things at the edge."""
    labels, components = label_components(ink >= INK_THRESHOLD)
    components = remove_frames_and_specks(components, labels, ink.shape)
    if not components:
        raise ImageError(NO_INK)
    main = max(components, key=lambda component: digit_score(component, ink.shape))
    group, box = [main], main.box
    for component in sorted(components, key=lambda component: component.box.gap(main.box)):
        near = component.box.gap(box) <= 0.35 * box.side
        if (
            component is not main
            and near
            and component.area >= MIN_PART * main.area
            and not component.box.touches_edge(ink.shape)
        ):
            group.append(component)
            box = box.union(component.box)
    return keep_components(ink, labels, group)


def digit_score(component: Component, shape: tuple[int, ...]) -> float:
    """How likely a component is the digit: large, near the middle, and not cut by the edge."""
    row = (component.box.top + component.box.bottom) / (2 * shape[0]) - 0.5
    column = (component.box.left + component.box.right) / (2 * shape[1]) - 0.5
    central = 1 - max(abs(row), abs(column))  # 1 in the middle, 0.5 at an edge
    # A line that was not taken out is long and thin; so is a 1, but not across the whole picture.
    return (
        component.box.side
        * math.sqrt(component.area)
        * central
        * (AT_THE_EDGE if component.box.touches_edge(shape) else 1.0)
    )


def hollow(labels: NDArray[np.int32], component: Component) -> bool:
    """Whether nearly all of a component lies along the four sides of its box."""
    box = component.box
    mask = labels[box.top : box.bottom, box.left : box.right] == component.label
    rim = max(2, box.side // 12)
    return float(mask[rim:-rim, rim:-rim].sum()) < 0.1 * component.area


def remove_frames_and_specks(
    components: list[Component], labels: NDArray[np.int32], shape: tuple[int, ...]
) -> list[Component]:
    """The components that are neither specks nor a frame around others."""
    kept = [
        component
        for rank, component in enumerate(components)
        if rank >= 3 or not is_frame(component, components, labels, shape)
    ]
    # The border of a table may be larger than any digit: it must not set the size of a speck.
    whole = [component for component in kept if not component.box.touches_edge(shape)] or kept
    smallest = max(4, MIN_PART * 0.25 * whole[0].area) if whole else 0
    return [component for component in kept if component.area >= smallest]


def is_frame(
    outer: Component, components: list[Component], labels: NDArray[np.int32], shape: tuple[int, ...]
) -> bool:
    """Whether a component is hollow, half as large as the image, and has another one inside."""
    large = outer.box.height >= 0.5 * shape[0] and outer.box.width >= 0.5 * shape[1]
    has_content = any(
        inner.box.side >= 0.2 * outer.box.side and outer.box.encloses(inner.box)
        for inner in components
        if inner is not outer
    )
    return large and has_content and hollow(labels, outer)


def keep_components(ink: Ink, labels: NDArray[np.int32], group: list[Component]) -> Ink:
    """The ink of some components with the antialiased edge around them; 0 elsewhere."""
    mask = np.isin(labels, [component.label for component in group])
    grown = ndimage.binary_dilation(mask, iterations=2)
    return np.where(grown & ((labels == 0) | mask), ink, 0.0)
