"""Splits made from arrays that somebody hands over, in place of a data set on disk."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mnist_trainer.data.images import labelled_images
from mnist_trainer.data.split import Splits, stratified_holdout

MOST_TESTED = 1_000


def splits_of_arrays(
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    class_names: Sequence[str],
    validation_size: int,
    seed: int,
) -> Splits:
    """Split given images; there are no test images among them.

    What a trainer without validation images shows after each epoch is how it does on the first
    thousand that it trains on.

    Args:
        images: (N, 28, 28).
        labels: (N,), 0 to number of classes - 1.
        validation_size: images held out, stratified by class.
        seed: of the choice of these.

    Raises:
        DataError: shapes or labels that do not fit.
    """
    given = labelled_images(
        torch.from_numpy(images),
        torch.from_numpy(labels),
        expected=len(images),
        num_classes=len(class_names),
        source="arrays",
    )
    kept, held_out = stratified_holdout(given.labels, validation_size, seed)
    train = given.select(kept)
    return Splits(
        train=train,
        validation=given.select(held_out),
        test=train.first(MOST_TESTED),
        class_names=tuple(class_names),
        sha256={"images": _hash(images), "labels": _hash(labels)},
    )


def _hash(array: NDArray[Any]) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()
