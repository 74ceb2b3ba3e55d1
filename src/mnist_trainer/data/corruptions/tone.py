"""Grey levels: brighter, inverted in stripes."""

from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG


def brightness(images: Tensor, amount: float, _rng: CounterRNG) -> Tensor:
    """Add a constant to all pixels."""
    return images + amount


def stripe(images: Tensor, columns: int, _rng: CounterRNG) -> Tensor:
    """Invert the first and the last so many columns."""
    result = images.clone()
    result[..., :columns] = 1 - images[..., :columns]
    result[..., -columns:] = 1 - images[..., -columns:]
    return result
