"""Noise of single pixels."""

import functools

import numpy as np
import torch
from scipy.special import pdtr
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import on_device

BITS = 24
"""Of a uniform number, and of a tabulated probability."""


def shot_noise(images: Tensor, photons: int, rng: CounterRNG) -> Tensor:
    """Count photons: each pixel is Poisson-distributed, with a mean of ``photons`` for full ink.

    Grey levels are rounded to 8 bits, for each of which the distribution is tabulated.
    """
    levels = (images * 255).round_().to(torch.int64).flatten(1)
    # The number of entries of a level's distribution function that are not above a uniform number
    # is Poisson-distributed. Levels lie one after the other in one sorted table.
    wanted = (levels << BITS) + (rng.bits(levels.shape[1]) >> (32 - BITS))
    counts = torch.searchsorted(on_device(_poisson_table(photons), images), wanted, right=True)
    counts -= levels * photons
    return (counts.to(torch.float32) * (1 / photons)).reshape(images.shape)


@functools.cache
def _poisson_table(photons: int) -> np.ndarray:
    """``level + P(at most k photons)``, for k below ``photons``: what is above is clipped. In
    whole numbers, in units of 2^-24."""
    levels = np.arange(256)[:, None]
    table: np.ndarray = levels + pdtr(np.arange(photons), levels / 255 * photons)
    whole: np.ndarray = np.rint(table * 2**BITS).astype(np.int64)
    return whole.ravel()


def impulse_noise(images: Tensor, amount: float, rng: CounterRNG) -> Tensor:
    """Replace this share of the pixels, half by full ink, half by none (salt and pepper)."""
    uniform = rng.uniform(images[0].numel()).reshape(images.shape)
    kept = torch.where(uniform < amount, 0.0, images)
    return torch.where(uniform < amount / 2, 1.0, kept)
