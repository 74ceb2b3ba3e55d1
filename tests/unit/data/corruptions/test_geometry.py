"""Affine maps equal SciPy's, bilinear, about the centre."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.geometry import rotate, scale, shear, translate

Kernel = Callable[[Tensor, float, CounterRNG], Tensor]
# From (row, column) of the result to that of the source, as SciPy takes it.
MATRICES: dict[str, tuple[Kernel, float, Callable[[float], list[list[float]]]]] = {
    "shear": (shear, 0.4, lambda a: [[math.cos(a), 0], [-math.sin(a), 1]]),
    "rotate": (
        rotate,
        0.4,
        lambda a: [[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]],
    ),
    "scale": (scale, 0.7, lambda a: [[1 / abs(a), 0], [0, 1 / abs(a)]]),
}


def some_images() -> Tensor:
    images = torch.rand(30, 28, 28, generator=torch.Generator().manual_seed(0))
    # Outside is background: with a background inside, too, both ways of interpolating at the
    # border agree.
    images[:, [0, -1]] = 0
    images[:, :, [0, -1]] = 0
    return images


def rng() -> CounterRNG:
    return CounterRNG.of_images(0, "geometry", 0, 30, torch.device("cpu"))


@pytest.mark.parametrize("name", MATRICES)
def test_maps_equal_scipys_to_either_side(name: str) -> None:
    kernel, amount, matrix_of = MATRICES[name]
    images = some_images()
    warped = kernel(images, amount, rng())
    centre = np.array([13.5, 13.5])
    sides = []
    for image, result in zip(images.numpy(), warped.numpy(), strict=True):
        matches = []
        for sign in (-1, 1):
            matrix = np.array(matrix_of(sign * amount))
            expected = ndimage.affine_transform(
                image.astype(float), matrix, centre - matrix @ centre, order=1
            )
            matches.append(np.allclose(result, expected, atol=1e-5))
        assert any(matches)
        sides.append(matches[0])
    if name != "scale":
        assert 5 < sum(sides) < 25


def test_translation_is_along_both_axes() -> None:
    images = torch.zeros(30, 28, 28)
    images[:, 10, 12] = 1
    places = {
        tuple(np.argwhere(image).ravel().tolist()) for image in translate(images, 3, rng()).numpy()
    }
    assert places == {(7, 9), (7, 15), (13, 9), (13, 15)}
