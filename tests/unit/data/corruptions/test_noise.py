"""Noise has the distribution that was asked for."""

import numpy as np
import pytest
import torch
from scipy import stats

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.noise import impulse_noise, shot_noise

COUNT = 200


def rng() -> CounterRNG:
    return CounterRNG.of_images(0, "noise", 0, COUNT, torch.device("cpu"))


@pytest.mark.parametrize("level", [0, 51, 128, 255])
@pytest.mark.parametrize("photons", [3, 25])
def test_shot_noise_counts_photons(level: int, photons: int) -> None:
    images = torch.full((COUNT, 28, 28), level / 255)
    counts = (shot_noise(images, photons, rng()) * photons).numpy().ravel()
    assert np.allclose(counts, counts.round(), atol=1e-4)
    seen = np.bincount(counts.round().astype(int), minlength=photons + 1) / counts.size
    expected = stats.poisson.pmf(np.arange(photons), level / 255 * photons)
    # What is more than full ink is clipped.
    assert seen == pytest.approx([*expected, 1 - expected.sum()], abs=0.006)


@pytest.mark.parametrize("amount", [0.03, 0.27])
def test_impulse_noise_replaces_the_share_asked_for(amount: float) -> None:
    images = torch.full((COUNT, 28, 28), 0.5)
    noisy = impulse_noise(images, amount, rng())
    shares = [float((noisy == value).float().mean()) for value in (0, 0.5, 1)]
    assert shares == pytest.approx([amount / 2, 1 - amount, amount / 2], abs=0.005)
