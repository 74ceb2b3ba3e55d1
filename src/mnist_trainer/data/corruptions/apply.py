"""Corrupt images for scoring: seeded by image, so that the size of a batch makes no difference."""

import torch
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.kinds import KINDS
from mnist_trainer.errors import ConfigError

CORRUPTIONS: tuple[str, ...] = tuple(KINDS)
STRENGTHS = (1, 2, 3, 4, 5)
PUBLISHED_STRENGTH: dict[str, int] = {name: kind.published for name, kind in KINDS.items()}
"""The strength whose parameters are those of the published data set."""

CHUNK = 512
"""Images computed at a time: their random numbers fit the processor's cache."""


def corrupt(images: Tensor, name: str, strength: int, *, seed: int, first: int = 0) -> Tensor:
    """Corrupt images, each with random numbers of (seed, name, first + its index) alone.

    Args:
        images: uint8 (N, 1, H, W); left as they are.
        name: one of ``CORRUPTIONS``.
        strength: one of ``STRENGTHS``.
        seed: of the random numbers.
        first: index of the first image in its data set, where this is a part of it.

    Returns:
        uint8 (N, 1, H, W), on the images' device.

    Raises:
        ConfigError: there is no such corruption or strength.
    """
    if name not in KINDS:
        raise ConfigError(f"{name}: no such corruption. There are: {', '.join(CORRUPTIONS)}.")
    if strength not in STRENGTHS:
        raise ConfigError(f"strength {strength} of {name}: must be a whole number from 1 to 5.")
    kind = KINDS[name]
    result = torch.empty_like(images)
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK, 0]
        rng = CounterRNG.of_images(seed, name, first + start, len(chunk), images.device)
        pixels = kind(chunk.to(torch.float32) * (1 / 255), strength, rng)
        result[start : start + CHUNK, 0] = (pixels * 255).round_().to(torch.uint8)
    return result
