"""Group strokes into digits, and digits into lines of text."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.inference.digit_images.boxes import Box
from mnist_trainer.inference.digit_images.components import Component, component_mask, is_bar
from mnist_trainer.inference.digit_images.normalize import IMAGE_SIZE, stroke_width

THIN_LINE = 30
"""Length of the shortest component that is a line of a form, in widths of its stroke."""
SMALLEST = 0.2
"""Height of the smallest digit, as a share of that of the tall ones."""
LONG = 8.5
"""Length of the shortest stroke that is a small digit, in widths of the pen; a comma has five, all
digits but a 1 have more."""


def remove_line_work(
    components: list[Component], labels: NDArray[np.int32], shape: tuple[int, ...]
) -> list[Component]:
    """The components that are no lines of a form: boxes, tables, and pieces of them.

    A line is much thinner for its length than the stroke of a digit, or a bar at the edge of the
    picture. Where all is like that, it is a hair line that the digits are written in.
    """
    written = [each for each in components if not is_line_work(each, labels, shape)]
    tall = max((each.box.side for each in written), default=0)
    return written if tall >= max(16, 0.05 * min(shape)) else components


def is_line_work(component: Component, labels: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    """Whether a component is thin and long as the lines of a form are."""
    mask = component_mask(labels, component)
    if component.box.touches_edge(shape) and is_bar(mask):
        return True
    thickness = stroke_width(mask.astype(np.float64))
    return component.box.side >= THIN_LINE * thickness


def group_strokes(components: list[Component], labels: NDArray[np.int32]) -> list[list[Component]]:
    """Put together what one digit was written in: the bar of a 5, a stroke that a ruled line has
    cut."""
    tallest = (
        sorted(component.box.height for component in components)[-max(1, len(components) // 3) :]
        if components
        else [0]
    )
    height = float(np.median(tallest))
    groups: list[tuple[list[Component], Box]] = []
    for component in sorted(components, key=lambda component: -component.area):
        fitting = [
            index for index, (_, box) in enumerate(groups) if is_part_of(component.box, box, height)
        ]
        if fitting:
            index = min(fitting, key=lambda index: component.box.gap(groups[index][1]))
            group, box = groups[index]
            groups[index] = ([*group, component], box.union(component.box))
        else:
            groups.append(([component], component.box))
    # What is much smaller than the digits and joins none of them is a dot, a comma, or dirt.
    return [
        group
        for group, box in groups
        if box.height >= 0.35 * height
        or box.side >= 0.6 * height
        or is_small_digit(group_mask(group, labels, box), height)
    ]


def group_mask(group: list[Component], labels: NDArray[np.int32], box: Box) -> NDArray[np.bool_]:
    """Where in their box some components are."""
    return np.isin(
        labels[box.top : box.bottom, box.left : box.right], [component.label for component in group]
    )


def is_small_digit(mask: NDArray[np.bool_], height: float) -> bool:
    """Whether something much smaller than the digits, cropped to its box, is one itself: a long
    stroke in an open shape."""
    rows, columns = mask.shape
    if rows < max(SMALLEST * height, IMAGE_SIZE // 2) or not 0.35 * rows <= columns <= 1.2 * rows:
        return False
    area = int(mask.sum())
    return area <= 0.55 * mask.size and area >= LONG * stroke_width(mask.astype(np.float64)) ** 2


def is_part_of(component: Box, digit: Box, height: float) -> bool:
    """Whether a smaller component is part of a digit: above, below or beside it, close, and no
    digit of its own."""
    overlap = min(component.right, digit.right) - max(component.left, digit.left)
    narrow = min(component.width, digit.width)
    if max(component.bottom, digit.bottom) - min(component.top, digit.top) > 1.35 * max(
        height, digit.height
    ):
        return False
    over = overlap >= 0.5 * narrow and component.gap(digit) <= 0.3 * height
    # The bar of a 5 may stand off to the right; it is flat and at the top.
    bar = (
        component.height <= 0.35 * height
        and component.gap(digit) <= 0.15 * height
        and overlap > -0.15 * height
    )
    return over or bar


def reading_order(groups: list[list[Component]]) -> list[list[list[Component]]]:
    """Lines from top to bottom, and each from left to right."""
    lines: list[list[list[Component]]] = []
    for group in sorted(groups, key=lambda group: bounding_box(group).middle_row):
        box = bounding_box(group)
        last = [bounding_box(each) for each in lines[-1]] if lines else []
        extent = max((each.height for each in last), default=0)
        near = last and abs(
            box.middle_row - np.mean([each.middle_row for each in last])
        ) < 0.5 * max(extent, box.height)
        if near or any(is_raised(box, each) for each in last):
            lines[-1].append(group)
        else:
            lines.append([group])
    return [sorted(line, key=lambda group: bounding_box(group).left) for line in lines]


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


def bounding_box(group: list[Component]) -> Box:
    """The box around all components."""
    return reduce(Box.union, (component.box for component in group))
