"""Connected components of a binary mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mnist_trainer.inference.digit_images.boxes import Box

EIGHT_CONNECTED = np.ones((3, 3), bool)


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
