"""Shifts and rotations of images, and the maps of accuracy over them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import rotate as scipy_rotate
from scipy.ndimage import shift as scipy_shift

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.card.shifts import ANGLES, OFFSETS, rotate, score_shifts, shift
from mnist_trainer.inference.card.subject import Subject, accuracy_of


def test_the_middle_of_both_maps_is_the_clean_accuracy(subject: Subject) -> None:
    found = score_shifts(subject, lambda _: None)
    clean = accuracy_of(subject.trained, subject.spaced(subject.effort.shifted))
    assert found["shift_map"][4][4] == clean["accuracy"]
    assert found["rotation_map"][ANGLES.index(0)][4] == clean["accuracy"]
    # A row of both maps is the same: no rotation, no shift down.
    assert found["shift_map"][4] == found["rotation_map"][ANGLES.index(0)]
    assert found["unmoved"] == clean
    assert found["mean_over_shifts"] == pytest.approx(np.mean(found["shift_map"]))
    assert np.shape(found["shift_map"]) == (len(OFFSETS), len(OFFSETS))


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-4, 4), (1, 0)])
def test_shift_equals_scipys(some_images: LabelledImages, right: int, down: int) -> None:
    images = some_images.images[:3]
    expected = scipy_shift(images.numpy(), (0, 0, down, right), order=0)
    assert np.array_equal(shift(images, right, down).numpy(), expected)


def test_a_quarter_turn_is_exact(some_images: LabelledImages) -> None:
    images = some_images.images[:5]
    turned = rotate(images, 90).int() - torch.rot90(images, 1, (2, 3)).int()
    assert int(turned.abs().max()) <= 1


@pytest.mark.parametrize("degrees", [-45.0, -7.5, 0.0, 30.0])
def test_rotation_equals_scipys(some_images: LabelledImages, degrees: float) -> None:
    images = some_images.images[:5]
    expected = scipy_rotate(
        images.numpy().astype(float), degrees, (3, 2), reshape=False, order=1, mode="grid-constant"
    )
    assert np.abs(rotate(images, degrees).numpy() - expected).max() <= 1
