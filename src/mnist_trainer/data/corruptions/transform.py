"""Corruptions as a random transform of training images."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.kinds import KINDS
from mnist_trainer.data.degradations import to_unit


class RandomCorruption(nn.Module):
    """Corrupt a share of the images, each by one kind at one strength, both drawn at random.

    Images may be normalized: the darkest pixel of each is black, the brightest white, and all
    pixels stay between them.
    """

    num_random_params = 4
    """Which kind, if any; which strength; 48 bits for the corruption's own random numbers."""

    def __init__(self, kinds: Sequence[str], strengths: Sequence[int], probability: float) -> None:
        """Set what is drawn from.

        Args:
            kinds: of ``data.corruptions.apply.CORRUPTIONS``; equally likely.
            strengths: of 1 to 5; equally likely.
            probability: that an image is corrupted.
        """
        super().__init__()
        self.choices = [(KINDS[kind], strength) for kind in kinds for strength in strengths]
        self.num_kinds, self.num_strengths = len(kinds), len(strengths)
        self.probability = probability

    def forward(self, images: Tensor, random_params: Tensor) -> Tensor:
        """Images (N, 1, H, W) and numbers in [0, 1) (N, 4) to images (N, 1, H, W)."""
        pixels, black, span = to_unit(images)
        choice = self.choose(random_params)
        for index in choice.unique().tolist():
            if index >= 0:
                chosen = (choice == index).nonzero()[:, 0]
                kind, strength = self.choices[index]
                rng = CounterRNG.of_uniforms(random_params[chosen, 2:])
                pixels[chosen, 0] = kind(pixels[chosen, 0], strength, rng)
        return pixels * span + black

    def choose(self, random_params: Tensor) -> Tensor:
        """Index of ``choices`` for each image, -1 for none: int64 (N,)."""
        if not self.probability:
            return torch.full_like(random_params[:, 0], -1, dtype=torch.int64)
        drawn, strength = random_params[:, 0], random_params[:, 1]
        kind = _below(drawn * (self.num_kinds / self.probability), self.num_kinds)
        index = kind * self.num_strengths + _below(
            strength * self.num_strengths, self.num_strengths
        )
        return torch.where(drawn < self.probability, index, -1)


def _below(numbers: Tensor, limit: int) -> Tensor:
    """Round down to a whole number below the limit, which rounding may have reached."""
    return numbers.to(torch.int64).clamp_max(limit - 1)
