"""Grey levels, worked by hand."""

import torch

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.tone import brightness, stripe

RNG = CounterRNG.of_images(0, "tone", 0, 1, torch.device("cpu"))
IMAGE = torch.tensor([[[0.0, 0.25, 0.5, 1.0]]])


def test_brightness_adds() -> None:
    assert brightness(IMAGE, 0.5, RNG).tolist() == [[[0.5, 0.75, 1.0, 1.5]]]


def test_stripes_at_both_sides_are_inverted() -> None:
    assert stripe(IMAGE, 1, RNG).tolist() == [[[1.0, 0.25, 0.5, 0.0]]]
