"""The fifteen corruptions of MNIST-C and their five strengths.

Source: Mu and Gilmer 2019, "MNIST-C: A Robustness Benchmark for Computer Vision". The published
data set has one strength of each kind; the parameters below say which of the five it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mnist_trainer.data.corruptions.blur import glass_blur, motion_blur
from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.drawing import dotted_line, zigzag
from mnist_trainer.data.corruptions.edges import canny_edges
from mnist_trainer.data.corruptions.geometry import rotate, scale, shear, translate
from mnist_trainer.data.corruptions.noise import impulse_noise, shot_noise
from mnist_trainer.data.corruptions.tone import brightness, stripe
from mnist_trainer.data.corruptions.weather import fog, spatter


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption: ``kernel(images, parameter, rng)`` maps float32 (N, H, W) in 0..1 to
    the same shape, before it is clipped to 0..1."""

    kernel: Callable[[Tensor, Any, CounterRNG], Tensor]
    parameters: tuple[Any, ...]
    """One for each strength, from 1 to 5."""
    published: int
    """Strength whose parameter is that of the published data set."""

    def __call__(self, images: Tensor, strength: int, rng: CounterRNG) -> Tensor:
        """Images float32 (N, H, W) in 0..1 to the same shape and range."""
        return self.kernel(images, self.parameters[strength - 1], rng).clamp(0, 1)


KINDS = {
    # Photons for full ink.
    "shot_noise": Corruption(shot_noise, (60, 25, 12, 5, 3), 5),
    # Share of the pixels.
    "impulse_noise": Corruption(impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), 4),
    # Sigma, distance of swaps, passes.
    "glass_blur": Corruption(
        glass_blur, ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2)), 1
    ),
    # Radius, sigma.
    "motion_blur": Corruption(motion_blur, ((10, 1.5), (10, 3), (15, 5), (15, 8), (15, 12)), 2),
    # Angle in radians.
    "shear": Corruption(shear, (0.2, 0.4, 0.6, 0.8, 1.0), 2),
    # Share of the size that is left.
    "scale": Corruption(scale, (0.9, 0.8, 0.7, 0.6, 0.5), 3),
    # Angle in radians.
    "rotate": Corruption(rotate, (0.2, 0.4, 0.6, 0.8, 1.0), 2),
    # Share of full ink that is added.
    "brightness": Corruption(brightness, (0.1, 0.2, 0.3, 0.4, 0.5), 5),
    # Pixels along both axes.
    "translate": Corruption(translate, (1, 2, 3, 4, 5), 3),
    # Columns at both sides.
    "stripe": Corruption(stripe, (3, 5, 7, 9, 11), 3),
    # Amount, decay of the roughness.
    "fog": Corruption(fog, ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.75, 1.5), (3.0, 1.4)), 5),
    # Level above which noise is mud.
    "spatter": Corruption(spatter, (0.69, 0.67, 0.65, 0.63, 0.61), 3),
    # Distance within which there is ink, in pixels.
    "dotted_line": Corruption(dotted_line, (1.1, 1.7, 2.3, 3.2, 4.1), 3),
    "zigzag": Corruption(zigzag, (1.1, 1.7, 2.3, 3.2, 4.1), 3),
    # Sigma of the smoothing.
    "canny_edges": Corruption(canny_edges, (0.5, 0.75, 1.0, 1.5, 2.0), 3),
}
