"""Splits made from given arrays."""

import numpy as np
import pytest

from mnist_trainer.data.arrays import MOST_TESTED, splits_of_arrays
from mnist_trainer.errors import DataError


def test_every_image_is_in_one_part_with_its_label() -> None:
    labels = np.arange(40) % 2
    images = np.arange(40, dtype=np.uint8)[:, None, None].repeat(28, 1).repeat(28, 2)
    splits = splits_of_arrays(images, labels, ("even", "odd"), validation_size=10, seed=0)
    seen = [*splits.train.images[:, 0, 0, 0].tolist(), *splits.validation.images[:, 0, 0, 0]]
    assert sorted(map(int, seen)) == list(range(40))
    for part in (splits.train, splits.validation, splits.test):
        assert (part.images[:, 0, 0, 0] % 2 == part.labels).all()
    assert int(splits.validation.labels.sum()) == 5
    assert splits.class_names == ("even", "odd")


def test_what_is_shown_after_an_epoch_is_bounded() -> None:
    count = 2 * MOST_TESTED
    blank = np.zeros((count, 28, 28), np.uint8)
    splits = splits_of_arrays(blank, np.zeros(count, np.int64), ("a",), 0, seed=0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (count, 0, MOST_TESTED)


def test_hashes_tell_arrays_apart() -> None:
    def hashes(value: int) -> object:
        images = np.full((4, 28, 28), value, np.uint8)
        return splits_of_arrays(images, np.zeros(4, np.int64), ("a",), 0, seed=0).sha256

    assert hashes(1) == hashes(1) != hashes(2)


def test_labels_beyond_the_classes_are_refused() -> None:
    with pytest.raises(DataError, match="arrays: there is a label 3, expected 0 to 1"):
        splits_of_arrays(np.zeros((2, 28, 28), np.uint8), np.array([0, 3]), ("a", "b"), 0, seed=0)
