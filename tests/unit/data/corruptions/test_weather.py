"""Fog is the fractal that the plain algorithm draws; mud covers."""

import numpy as np
import pytest
import torch

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.weather import _refine, fog, plasma_fractal, spatter


def rng(count: int) -> CounterRNG:
    return CounterRNG.of_images(0, "weather", 0, count, torch.device("cpu"))


def test_refining_without_noise_takes_means_of_four_neighbours() -> None:
    lattice = torch.tensor([[[0.0, 8.0], [4.0, 0.0]]])
    fine = _refine(lattice, 0.0, rng(1))[0]
    assert torch.equal(fine[::2, ::2], lattice[0])
    assert torch.equal(fine[1::2, 1::2], torch.full((2, 2), 3.0))  # the mean of all four corners
    # Between 0 and 8: these, and the squares above and below.
    assert float(fine[0, 1]) == (0 + 8 + 3 + 3) / 4
    assert float(fine[1, 2]) == (8 + 0 + 3 + 3) / 4


def diamond_square(decay: float, generator: np.random.Generator, size: int = 256) -> np.ndarray:
    """The whole map, as it is usually written."""
    grid = np.zeros((size, size))
    step, amplitude = size, 1.0
    while step > 1:
        half = step // 2
        for i in range(0, size, step):
            for j in range(0, size, step):
                corners = [
                    grid[(i + a) % size, (j + b) % size] for a in (0, step) for b in (0, step)
                ]
                grid[i + half, j + half] = np.mean(corners) + generator.uniform(-1, 1) * amplitude
        for i in range(0, size, half):
            for j in range((i + half) % step, size, step):
                around = [
                    grid[(i + a) % size, (j + b) % size]
                    for a, b in ((half, 0), (-half, 0), (0, half), (0, -half))
                ]
                grid[i, j] = np.mean(around) + generator.uniform(-1, 1) * amplitude
        step, amplitude = half, amplitude / decay**2
    scaled: np.ndarray = (grid - grid.min()) / (grid.max() - grid.min())
    return scaled


def statistics(maps: np.ndarray) -> list[float]:
    """Of corners (N, 28, 28): roughness at one and at eight pixels, and spread within a corner."""
    return [
        float(abs(np.diff(maps, axis=2)).mean()),
        float(abs(maps[:, :, 8:] - maps[:, :, :-8]).mean()),
        float(maps.std(axis=(1, 2)).mean()),
    ]


def test_the_corner_has_the_statistics_of_the_whole_algorithm() -> None:
    generator = np.random.default_rng(0)
    whole = np.stack([diamond_square(1.4, generator)[:28, :28] for _ in range(4)])
    corner = plasma_fractal(torch.zeros(500, 28, 28), 1.4, rng(500)).numpy()
    assert 0 <= corner.min() < 0.05
    assert 0.95 < corner.max() <= 1
    assert statistics(corner) == pytest.approx(statistics(whole), rel=0.35)


def test_fog_keeps_the_brightest_pixel_an_upper_bound_and_the_digit_visible() -> None:
    images = torch.zeros(50, 28, 28)
    images[:, 10:18, 10:18] = 0.8
    foggy = fog(images, (3.0, 1.4), rng(50))
    assert float(foggy.max()) <= 0.8
    haze = plasma_fractal(images, 1.4, rng(50))
    assert torch.allclose(foggy, (images + 3 * haze) * 0.8 / 3.8, atol=1e-6)


def test_mud_is_dark_over_ink_and_light_over_background() -> None:
    black, white = torch.zeros(50, 28, 28), torch.ones(50, 28, 28)
    splashed = spatter(black, 0.65, rng(50))
    assert torch.allclose(spatter(white, 0.65, rng(50)), 1 - splashed * (255 / 63 - 1), atol=1e-5)
    covered = splashed[splashed > 0] * (255 / 63)
    assert float(covered.min()) >= 0.8 - 1e-5
    assert 0.05 < covered.numel() / splashed.numel() < 0.4
