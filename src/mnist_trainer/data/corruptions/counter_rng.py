"""Counter-based random numbers: the k-th number of an image is a hash of the image's key and k.

So an image has the same numbers in a batch of any size and on any device: only whole numbers below
2^63 are computed with, which is exact everywhere. (Salmon et al. 2011, "Parallel random numbers: as
easy as 1, 2, 3", with a multiply-xorshift hash in place of theirs.)
"""

import functools
import hashlib

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B1
# Odd and below 2^31, so that a product with 32 bits stays below 2^63.
_MULTIPLIERS = (0x7FEB352D, 0x31848BAB)


class CounterRNG:
    """Random numbers of a batch of images; each draw goes on where the last one ended."""

    def __init__(self, keys: Tensor) -> None:
        """Start at the first number.

        Args:
            keys: int64 (N, 2), in [0, 2^32): 64 bits for each image.
        """
        self.keys = keys
        self.drawn = 0

    @classmethod
    def of_images(
        cls, seed: int, name: str, first: int, count: int, device: torch.device
    ) -> "CounterRNG":
        """Numbers that depend on (seed, name, index) alone, for images ``first`` to
        ``first + count - 1``."""
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        index = torch.arange(first, first + count, device=device)
        halves = [
            _mix((index * _GOLDEN + int.from_bytes(digest[4 * k : 4 * k + 4], "big")) & _MASK)
            for k in range(2)
        ]
        return cls(torch.stack(halves, dim=1))

    @classmethod
    def of_uniforms(cls, uniforms: Tensor) -> "CounterRNG":
        """Numbers that depend on two uniform numbers (N, 2) in [0, 1) for each image alone."""
        bits = (uniforms * 2.0**24).to(torch.int64) & _MASK
        return cls(torch.stack([_mix(bits[:, 0]), _mix(bits[:, 1] ^ _GOLDEN)], dim=1))

    def bits(self, count: int) -> Tensor:
        """32 random bits, ``count`` times for each image: int64 (N, count)."""
        counter = torch.arange(self.drawn, self.drawn + count, device=self.keys.device)
        self.drawn += count
        state = ((counter * _GOLDEN) & _MASK) + self.keys[:, :1]
        return _mix(state.bitwise_and_(_MASK), self.keys[:, 1:])

    def uniform(self, count: int) -> Tensor:
        """Uniform numbers in [0, 1): float32 (N, count), multiples of 2^-24."""
        return self.bits(count).bitwise_right_shift_(8).to(torch.float32).mul_(2.0**-24)

    def integers(self, high: int) -> Tensor:
        """A whole number in [0, high) for each image: int64 (N,); high is at most 2^31."""
        return (self.bits(1)[:, 0] * high) >> 32

    def normal(self, count: int) -> Tensor:
        """Standard normal numbers: float32 (N, count), from 65,536 quantiles."""
        quantiles = _normal_quantiles().to(self.keys.device)
        return quantiles[self.bits(count).bitwise_right_shift_(16)]


def _mix(state: Tensor, key: Tensor | None = None) -> Tensor:
    """Hash 32 bits to 32 bits, in place; the key enters between the two rounds."""
    state ^= state >> 16
    state *= _MULTIPLIERS[0]
    state &= _MASK
    state ^= state >> 15
    if key is not None:
        state ^= key
    state *= _MULTIPLIERS[1]
    state &= _MASK
    state ^= state >> 16
    return state


@functools.cache
def _normal_quantiles() -> Tensor:
    return torch.from_numpy(ndtri((np.arange(2**16) + 0.5) / 2**16)).to(torch.float32)
