"""Canny's edges equal those of the algorithm written pixel by pixel."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.edges import STRONG, WEAK, canny_edges, connected
from mnist_trainer.data.images import LabelledImages

RNG = CounterRNG.of_images(0, "edges", 0, 1, torch.device("cpu"))


def slow_canny(image: np.ndarray, sigma: float) -> np.ndarray:
    """Canny's algorithm for one image, by SciPy and loops."""
    ones = ndimage.gaussian_filter(np.ones_like(image), sigma, mode="constant")
    smooth = ndimage.gaussian_filter(image, sigma, mode="constant") / ones
    down, right = (ndimage.sobel(smooth, axis=axis, mode="constant") for axis in (0, 1))
    size = np.hypot(down, right)
    thin = np.zeros_like(image, dtype=bool)
    for row in range(1, image.shape[0] - 1):
        for column in range(1, image.shape[1] - 1):
            y, x = down[row, column], right[row, column]
            largest = max(abs(y), abs(x))
            if largest == 0:
                continue
            # One step along the gradient, as far as the next row or column.
            step_y, step_x = y / largest, x / largest
            thin[row, column] = all(
                between(size, row + sign * step_y, column + sign * step_x)
                <= size[row, column] + 1e-7
                for sign in (1, -1)
            )
    groups, _ = ndimage.label(thin & (size >= WEAK), np.ones((3, 3)))
    strong = np.unique(groups[thin & (size >= STRONG)])
    return np.isin(groups, strong[strong > 0])


def between(values: np.ndarray, row: float, column: float) -> float:
    """Bilinear interpolation."""
    return float(ndimage.map_coordinates(values, [[row], [column]], order=1)[0])


@pytest.mark.parametrize("sigma", [0.75, 1.0, 2.0])
def test_edges_are_canny_s(sigma: float, some_images: LabelledImages) -> None:
    images = some_images.images[:12, 0].float() / 255
    edges = canny_edges(images, sigma, RNG)
    assert set(edges.unique().tolist()) == {0, 1}
    expected = np.stack([slow_canny(image, sigma) for image in images.double().numpy()])
    # Of two pixels of equal magnitude, rounding decides.
    assert float((edges.numpy() != expected).sum()) <= 0.01 * expected.sum()


def test_weak_pixels_stay_where_they_touch_a_strong_one_also_at_a_corner() -> None:
    weak, strong = torch.zeros(2, 2, 4, 6, dtype=torch.bool)
    for row, column in ((0, 0), (1, 1), (2, 2), (0, 5)):
        weak[0, row, column] = True
    weak[1, 2, 2] = True
    strong[0, 2, 2] = True
    kept = connected(weak, strong)
    assert kept.nonzero().tolist() == [[0, 0, 0], [0, 1, 1], [0, 2, 2]]


def test_a_blank_image_has_no_edges() -> None:
    assert float(canny_edges(torch.zeros(1, 28, 28), 1.0, RNG).sum()) == 0
    assert float(canny_edges(torch.ones(1, 28, 28), 1.0, RNG).sum()) == 0
