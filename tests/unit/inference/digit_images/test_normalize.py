import numpy as np
import pytest

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.digit_images.normalize import (
    BOX,
    CENTRE,
    normalize_digit,
    resample,
    stroke_width,
    weights,
)


@pytest.mark.parametrize(("old", "new"), [(7, 7), (100, 20), (33, 20), (5, 20), (1, 20), (640, 3)])
def test_each_new_pixel_is_a_mean(old: int, new: int) -> None:
    table = weights(old, new)
    assert table.shape == (new, old)
    assert table.min() >= 0
    np.testing.assert_allclose(table.sum(axis=1), 1)


def test_a_whole_factor_is_the_mean_of_squares() -> None:
    ink = np.random.default_rng(0).random((60, 40))
    np.testing.assert_allclose(resample(ink, 20, 20), ink.reshape(20, 3, 20, 2).mean(axis=(1, 3)))


def test_the_same_size_changes_nothing() -> None:
    ink = np.random.default_rng(0).random((20, 13))
    np.testing.assert_array_equal(resample(ink, 20, 13), ink)


@pytest.mark.parametrize("factor", [1, 4, 9])
def test_an_enlarged_digit_of_mnist_comes_back(some_images: LabelledImages, factor: int) -> None:
    changes = []
    for image in some_images.images[:40, 0].numpy():
        ink = np.kron(image / image.max(), np.ones((factor, factor)))
        moved = np.pad(ink, ((3, 40), (25, 0)))
        changes.append(np.abs(normalize_digit(moved).astype(int) - image).mean())
    # Of 255. Where a row at the edge is fainter than what counts as ink, all else is enlarged by a
    # twentieth.
    assert np.median(changes) < 0.5
    assert np.mean(changes) < 3


def test_placed_as_mnist_places() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        ink = np.zeros((200, 200))
        height, width = rng.integers(10, 120, 2)
        ink[30 : 30 + height, 50 : 50 + width] = rng.random((height, width)) * 0.5 + 0.5
        image = normalize_digit(ink).astype(float)
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == BOX
        for axis in (0, 1):
            assert (
                abs((image.sum(axis=1 - axis) * np.arange(28)).sum() / image.sum() - CENTRE) <= 0.51
            )


def test_a_hair_line_is_as_bright_and_wide_as_a_pen() -> None:
    ink = np.zeros((600, 600))
    ink[100:500, 300:303] = 1
    ink[100:103, 200:400] = 1
    image = normalize_digit(ink)
    assert image.max() == 255
    assert (image[14] > 60).sum() >= 2


@pytest.mark.parametrize("width", [4, 10, 25])
def test_the_width_of_a_stroke(width: int) -> None:
    ink = np.zeros((300, 300))
    ink[20:280, 100 : 100 + width] = 1
    # The factor is that of all directions; along one axis the outline is shorter.
    assert stroke_width(ink) == pytest.approx(width * 4 / np.pi, rel=0.1)
