"""Connected components of a binary mask, and their shape."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.boxes import Box

EIGHT_CONNECTED = np.ones((3, 3), bool)
MAX_COMPONENTS = 300
"""More are the grain of a paper, and no writing."""
ELONGATED = 4.0
"""Length of the shortest bar, in its widths."""


@dataclass(frozen=True)
class Component:
    """A connected component."""

    label: int
    area: int
    """Pixels."""
    box: Box


def label_components(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], list[Component]]:
    """Label the 8-connected components of a mask.

    Returns:
        Labels of the shape of the mask, 0 for background, and the components, largest first.
    """
    labels, _ = ndimage.label(mask, EIGHT_CONNECTED)
    areas = np.bincount(labels.ravel())
    components = [
        Component(label, int(areas[label]), Box(rows.start, columns.start, rows.stop, columns.stop))
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1)
    ]
    return labels, sorted(components, key=lambda component: -component.area)


def component_mask(labels: NDArray[np.int32], component: Component) -> NDArray[np.bool_]:
    """Where in its box a component is."""
    box = component.box
    return np.asarray(labels[box.top : box.bottom, box.left : box.right] == component.label)


def bar_sides(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Length and width of the rectangle with the second moments of a mask, in pixels: of a straight
    bar its own, in whatever direction it lies."""
    points = np.stack(np.nonzero(mask)).astype(np.float64)  # (2, N)
    points -= points.mean(axis=1, keepdims=True)
    rows, columns, both = (
        float((one * other).mean())
        for one, other in ((points[0], points[0]), (points[1], points[1]), (points[0], points[1]))
    )
    middle, spread = (rows + columns) / 2, float(np.hypot((rows - columns) / 2, both))
    # A pixel is a square: it adds a twelfth to the variance of its centre.
    longer, shorter = (np.sqrt(12 * (middle + sign * spread) + 1) for sign in (1, -1))
    return float(longer), float(shorter)


def is_bar(mask: NDArray[np.bool_]) -> bool:
    """Whether a component is straight, long and thin: a piece of a line, or a 1."""
    length, thickness = bar_sides(mask)
    return length >= ELONGATED * thickness and mask.sum() >= 0.75 * length * thickness
