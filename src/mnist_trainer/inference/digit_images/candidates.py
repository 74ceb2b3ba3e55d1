"""What in the ink of a picture is most like a digit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.borders import by_the_edge, erase_borders, is_lying
from mnist_trainer.inference.digit_images.boxes import Box, Rejected
from mnist_trainer.inference.digit_images.components import (
    MAX_COMPONENTS,
    Component,
    bar_sides,
    component_mask,
    is_bar,
    label_components,
)
from mnist_trainer.inference.digit_images.group_strokes import bounding_box
from mnist_trainer.inference.digit_images.normalize import Ink
from mnist_trainer.inference.digit_images.remove_background import INK_THRESHOLD, InkMap

MIN_PART = 0.04
"""Least area of a component of a digit, as a share of its largest component: less is a speck."""
AT_THE_EDGE = 0.01
"""How much less likely a component that the edge of the picture cuts is the digit."""
BAR = 0.6
"""How much less likely a straight bar is the digit: it may be a 1."""
BAR_BY_THE_EDGE = 0.05
"""The same where it lies along the edge of the picture."""
LYING_BAR = 0.005
"""How much less likely a lying bar is the digit: a 1 leans at most, and what is left of a line
lies."""
DASH_ZONE = 0.12
"""Share of the picture on each side in which a piece of no bar may be a dash of a border."""
CLOSE = 0.12
"""Gap to a part of the digit by the edge of the picture, as a share of the digit's longer side."""
BULKY = 0.62
"""Share of its box that a blob fills: a shadow, a reflection or a finger, unless it is a bar."""
BLOB = 0.1
"""How much less likely a blob is the digit."""


@dataclass(frozen=True)
class Candidate:
    """Ink that may be the digit."""

    ink: Ink
    score: float
    rejected: tuple[Rejected, ...]
    """What else was in the picture."""


def find_candidates(strength: InkMap, least: float) -> list[Candidate]:
    """The part of the ink that is most like one digit: first without what belongs to the edge of
    the picture, then with it, where there is such; nothing on an empty sheet."""
    ink = strength.full_ink(least)
    if ink is None:
        return []
    rest, rejected = erase_borders(strength, ink)
    found = [best_candidate(rest, least, rejected)]
    if rest is not strength:
        found.append(best_candidate(strength, least, ()))
    return [each for each in found if each is not None]


def best_candidate(
    strength: InkMap, least: float, erased: tuple[Rejected, ...]
) -> Candidate | None:
    """The part of the ink that is most like one digit; None on an empty sheet.

    Args:
        erased: what was taken out of it before.
    """
    ink = strength.full_ink(least)
    if ink is None:
        return None
    labels, components = label_components(ink >= INK_THRESHOLD)
    kept = remove_frames_and_specks(components, labels, ink.shape)[:MAX_COMPONENTS]
    if not kept:
        return None
    scores = {each.label: digit_score(each, labels, strength) for each in kept}
    main = max(kept, key=lambda component: scores[component.label])
    group = join_parts(main, kept, labels, ink.shape)
    others = [
        Rejected(each.box, reason(each, labels, main, kept))
        for each in components[:MAX_COMPONENTS]
        if each not in group
    ]
    rejected = (*erased, *others)
    return Candidate(keep_components(ink, labels, group), scores[main.label], rejected)


def digit_score(component: Component, labels: NDArray[np.int32], strength: InkMap) -> float:
    """How likely a component is the digit: large, dark, near the middle, not cut by the edge, and
    no straight bar along it."""
    height, width = strength.values.shape
    box = component.box
    row = (box.top + box.bottom) / (2 * height) - 0.5
    column = (box.left + box.right) / (2 * width) - 0.5
    central = 1 - max(abs(row), abs(column))  # 1 in the middle, 0.5 at an edge
    mask = component_mask(labels, component)
    contrast = float(strength.values[box.top : box.bottom, box.left : box.right][mask].mean())
    score = box.side * np.sqrt(component.area) / (height * width) ** 0.75 * central * contrast
    if box.touches_edge(strength.values.shape):
        score *= AT_THE_EDGE
    if is_blob(mask):
        score *= BLOB
    elif is_lying(box) and is_bar(mask):
        score *= LYING_BAR
    elif is_bar(mask):
        score *= BAR_BY_THE_EDGE if by_the_edge(box, strength.values.shape) else BAR
    return float(score)


def is_blob(mask: NDArray[np.bool_]) -> bool:
    """Whether a component is as solid as no stroke is, and no bar."""
    length, thickness = bar_sides(mask)
    return mask.sum() >= BULKY * length * thickness and length < 2.2 * thickness


def reason(
    component: Component, labels: NDArray[np.int32], main: Component, kept: list[Component]
) -> str:
    """Why a component is not the digit, in a word or two."""
    if component not in kept:
        return "frame" if component.area > main.area else "speck"
    if is_bar(component_mask(labels, component)):
        return "line"
    return "less likely"


def join_parts(
    main: Component, components: list[Component], labels: NDArray[np.int32], shape: tuple[int, ...]
) -> list[Component]:
    """The digit's largest component and those near it that it was written in."""
    group, box = [main], main.box
    for component in sorted(components, key=lambda component: component.box.gap(main.box)):
        near = component.box.gap(box) <= 0.35 * box.side
        if (
            component is not main
            and near
            and component.area >= MIN_PART * main.area
            and not component.box.touches_edge(shape)
            and not (
                component.box.gap(box) > CLOSE * box.side
                and (
                    in_border_zone(component.box, main.box, shape)
                    or is_bar(component_mask(labels, component))
                )
            )
        ):
            group.append(component)
            box = box.union(component.box)
    return group


def in_border_zone(part: Box, main: Box, shape: tuple[int, ...]) -> bool:
    """Whether a part lies in a margin of the picture that the digit does not reach into: a dash of
    a broken border."""
    height, width = shape
    down, across = DASH_ZONE * height, DASH_ZONE * width
    return (
        part.bottom < min(down, main.top)
        or part.right < min(across, main.left)
        or part.top > max(height - down, main.bottom)
        or part.left > max(width - across, main.right)
    )


def hollow(labels: NDArray[np.int32], component: Component) -> bool:
    """Whether nearly all of a component lies along the four sides of its box."""
    box = component.box
    mask = component_mask(labels, component)
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
    box, rim = bounding_box(group), 2
    near = np.s_[max(0, box.top - rim) : box.bottom + rim, max(0, box.left - rim) : box.right + rim]
    mask = np.isin(labels[near], [component.label for component in group])
    grown = ndimage.binary_dilation(mask, iterations=rim)
    kept = np.zeros_like(ink)
    kept[near] = np.where(grown & ((labels[near] == 0) | mask), ink[near], 0.0)
    return kept
