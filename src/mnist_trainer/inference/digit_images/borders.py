"""Erase what belongs to the edge of a picture: borders, and neighbours that the edge cuts."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.boxes import Box, Rejected
from mnist_trainer.inference.digit_images.components import (
    MAX_COMPONENTS,
    Component,
    component_mask,
    is_bar,
    label_components,
)
from mnist_trainer.inference.digit_images.normalize import Ink
from mnist_trainer.inference.digit_images.remove_background import INK_THRESHOLD, InkMap

EDGE_ZONE = 0.2
"""Share of the picture on each side in which a bar along the edge is a border."""
FRINGE = 2
"""Pixels around an erased border in which what is left is blur, and no ink."""
DARKER = 0.75
"""Share of full ink from which a digit is told from a fainter line that it touches."""
HALO = 3
"""Pixels around a border that blur has darkened."""
MIN_REST = 0.12
"""Faintest ink beside what touches the edge that may be the digit, as a share of the strongest."""
SMALLEST_REST = 0.12
"""Side of the smallest digit beside what touches the edge, as a share of the picture's shorter
side."""
LYING = 1.5
"""From which share of width to height on a bar lies."""


def erase_borders(strength: InkMap, ink: Ink) -> tuple[InkMap, tuple[Rejected, ...]]:
    """Erase what touches the edge of the picture and what lies along it, unless nothing else may be
    the digit.

    The ink that is left may be much fainter than a border was.
    """
    labels, components = label_components(ink >= INK_THRESHOLD)
    reasons = {each: border_reason(each, labels, ink.shape) for each in components[:MAX_COMPONENTS]}
    borders = [each for each, why in reasons.items() if why]
    if not borders:
        return strength, ()
    mask = np.isin(labels, [each.label for each in borders])
    spared = darker_parts(mask & (ink >= DARKER), ink.shape)
    mask &= ~spared
    erased = ndimage.binary_dilation(mask, iterations=HALO)
    rest = InkMap(np.where(erased, 0, strength.values).astype(np.float32), strength.noise)
    remaining = rest.full_ink(max(MIN_REST * strength.level, 5 * strength.noise))
    fringe = ndimage.binary_dilation(erased, iterations=FRINGE) & ~spared
    if remaining is None or not holds_candidate(remaining, fringe):
        return strength, ()
    return rest, tuple(Rejected(each.box, reasons[each]) for each in borders)


def darker_parts(dark: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The dark parts of a border that may be a digit: it touches fainter lines of the paper."""
    labels, components = label_components(dark)
    least = SMALLEST_REST * min(shape)
    inner = [
        each
        for each in components[:MAX_COMPONENTS]
        if each.box.side >= least and not border_reason(each, labels, shape)
    ]
    mask = np.isin(labels, [each.label for each in inner])
    return np.asarray(ndimage.binary_dilation(mask, iterations=HALO))


def border_reason(component: Component, labels: NDArray[np.int32], shape: tuple[int, ...]) -> str:
    """Why a component belongs to the edge of the picture; empty if it does not."""
    if component.box.touches_edge(shape):
        return "at the edge"
    if by_the_edge(component.box, shape) and is_bar(component_mask(labels, component)):
        return "line"
    return ""


def by_the_edge(box: Box, shape: tuple[int, ...]) -> bool:
    """Whether the whole of a bar lies close to the edge of the picture that it runs along."""
    height, width = shape
    if box.width > box.height:
        return min(box.bottom, height - box.top) < EDGE_ZONE * height
    return min(box.right, width - box.left) < EDGE_ZONE * width


def holds_candidate(ink: Ink, fringe: NDArray[np.bool_]) -> bool:
    """Whether some component is large enough for a digit, does not touch the edge, and does not lie
    in what blur has left around a border."""
    labels, components = label_components(ink >= INK_THRESHOLD)
    blurred = np.bincount(labels[fringe], minlength=len(components) + 1)
    least = SMALLEST_REST * min(ink.shape)
    return any(
        each.box.side >= least
        and not each.box.touches_edge(ink.shape)
        and blurred[each.label] < 0.5 * each.area
        and not (is_lying(each.box) and is_bar(component_mask(labels, each)))
        for each in components
    )


def is_lying(box: Box) -> bool:
    """Whether a component is wider than high, as no 1 is."""
    return box.width > LYING * box.height
