"""The network that segments photographs: what it is trained with, and what is kept of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.people_pictures import digits_of
from benchmarks.photographs import train_segmentation as training
from benchmarks.photographs.train_segmentation import (
    Examples,
    SegmentationModel,
    examples_of,
    quantized,
    standardized,
    train,
    training_digits,
)
from benchmarks.product import compose_config

from mnist_trainer.inference.digit_images import segmentation_network
from mnist_trainer.inference.digit_images.boxes import Box
from mnist_trainer.inference.digit_images.segmentation_network import Window


@pytest.fixture(scope="module")
def examples() -> Examples:
    return Examples([each for index in range(6) for each in examples_of(index)])


def test_examples_are_a_function_of_their_number() -> None:
    for one, other in zip(examples_of(3), examples_of(3), strict=True):
        for array, again in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, again)


def test_examples_show_the_digit_and_where_it_is(examples: Examples) -> None:
    for coverage, (height, width) in zip(examples.coverage, examples.shapes, strict=True):
        assert coverage.max() > 200
        assert not coverage[int(height) :].any()
        assert not coverage[:, int(width) :].any()


def test_digits_that_are_held_out_are_not_trained_with() -> None:
    class Trained:
        config = compose_config("experiment=photos")

    held_out = digits_of(Trained(), "validation")  # type: ignore[arg-type]
    trained = training_digits()
    assert len(trained) + len(held_out) == 60_000
    seen = {image.numpy().tobytes() for image in trained.images}
    assert not any(image.numpy().tobytes() in seen for image in held_out.images)


def test_pictures_are_standardized_as_in_use(examples: Examples) -> None:
    found = standardized(examples.levels.float(), examples.shapes).numpy()
    for image, levels, shape in zip(found, examples.levels, examples.shapes, strict=True):
        height, width = shape.tolist()
        window = Window(Box(0, 0, height, width), levels[:, :height, :width].double().numpy())
        np.testing.assert_allclose(image, window.standardized(), atol=1e-4)


def test_it_learns_and_eight_bits_are_enough(
    examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "BATCH", 4)
    torch.manual_seed(0)
    model = SegmentationModel()
    losses = list(train(model, examples, 6))
    assert losses[-1] < 0.8 * losses[0]
    np.savez_compressed(tmp_path / "weights.npz", **quantized(model))  # type: ignore[arg-type]
    monkeypatch.setattr(segmentation_network, "WEIGHTS", tmp_path / "weights.npz")
    kept = segmentation_network.shipped_layers.__wrapped__()
    images = standardized(examples.levels.float(), examples.shapes)
    with torch.inference_mode():
        found = segmentation_network.u_net(kept, images).sigmoid()
        difference = (found - model.eval()(images).sigmoid()).abs()
    assert float(difference.max()) < 0.05
