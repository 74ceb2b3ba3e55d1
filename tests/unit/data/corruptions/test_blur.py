"""Blurs equal the plain loops that they are short for."""

import math

import pytest
import torch

from mnist_trainer.data.corruptions.blur import _fronts, motion_blur, swap_neighbours
from mnist_trainer.data.corruptions.counter_rng import CounterRNG

CPU = torch.device("cpu")


def rng(count: int) -> CounterRNG:
    return CounterRNG.of_images(0, "blur", 0, count, CPU)


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_swaps_at_once_equal_swaps_in_turn(reach: int) -> None:
    pixels = torch.arange(3 * 400).reshape(3, 20, 20) % 251
    swapped = swap_neighbours(pixels.clone(), reach, rng(3))
    order = [index for front in _fronts(20, 20, reach) for index in front]
    bits = rng(3).bits(len(order))
    for image in range(3):
        grid = pixels[image].clone()
        of_pixel = dict(zip(order, bits[image].tolist(), strict=True))
        for row in range(20 - reach, reach, -1):
            for column in range(20 - reach, reach, -1):
                drawn = of_pixel[row * 20 + column]
                if not drawn >> 15 & 1:
                    continue
                down = row + ((drawn >> 16) * 2 * reach >> 16) - reach
                right = column + ((drawn & 0x7FFF) * 2 * reach >> 15) - reach
                mine, other = int(grid[row, column]), int(grid[down, right])
                grid[row, column], grid[down, right] = other, mine
        assert torch.equal(swapped[image], grid)
    assert not torch.equal(swapped, pixels)


def test_motion_blur_is_a_weighted_sum_along_a_line() -> None:
    images = torch.zeros(40, 28, 28)
    images[:, 14, 20] = 1
    radius, sigma = 5, 2.0
    blurred = motion_blur(images, (radius, sigma), rng(40))
    angles = rng(40).integers(91) - 45
    assert len(angles.unique()) > 20
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(2 * radius + 1)]
    for image, angle in zip(blurred, angles.tolist(), strict=True):
        expected = torch.zeros(28, 28)
        for k, weight in enumerate(weights):
            # A pixel takes from what lies ahead, so the point is smeared backwards.
            row = 14 - math.ceil(k * math.sin(math.radians(angle)) - 0.5)
            column = 20 - math.ceil(k * math.cos(math.radians(angle)) - 0.5)
            expected[row, column] += weight / sum(weights)
        assert torch.allclose(image, expected, atol=1e-6)
