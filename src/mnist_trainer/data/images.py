"""A data set in memory: images, labels, names of the classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.errors import DataError


@dataclass(frozen=True)
class LabelledImages:
    """Images with their labels, in the data set's own order."""

    images: Tensor
    """uint8, (N, 1, 28, 28), ink bright on dark."""
    labels: Tensor
    """int64, (N,), 0 to number of classes - 1."""

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indexes: Tensor) -> "LabelledImages":
        return LabelledImages(self.images[indexes], self.labels[indexes])

    def first(self, limit: int | None) -> "LabelledImages":
        return self if limit is None else LabelledImages(self.images[:limit], self.labels[:limit])


@dataclass(frozen=True)
class DataSet:
    """A data set with its published training and test parts."""

    name: str
    train: LabelledImages
    test: LabelledImages
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    """File name to hash of the bytes that were read."""
    num_added: int = 0
    """Training images at the end that were added to the published ones; no fold holds them out."""


def labelled_images(
    images: Tensor, labels: Tensor, *, expected: int, num_classes: int, source: str
) -> LabelledImages:
    """Check images and labels that were read from files.

    Args:
        images: uint8, (N, 28, 28).
        labels: any integer type, (N,).
        expected: how many there must be.
        source: names the files in messages.

    Raises:
        DataError: shape, type, count or a label is not what the data set has.
    """
    if images.dtype != torch.uint8 or tuple(images.shape[1:]) != (IMAGE_SIZE, IMAGE_SIZE):
        raise DataError(
            f"{source}: images of {tuple(images.shape[1:])} {images.dtype}, expected (28, 28)"
            " bytes."
        )
    if len(images) != expected or labels.shape != (expected,):
        raise DataError(
            f"{source}: {len(images):,} images and {len(labels):,} labels, expected {expected:,} of"
            " each. Remove the files to have them fetched again."
        )
    labels = labels.to(torch.int64)
    if int(labels.min()) < 0 or int(labels.max()) >= num_classes:
        wrong = labels[(labels < 0) | (labels >= num_classes)][0].item()
        raise DataError(f"{source}: there is a label {wrong}, expected 0 to {num_classes - 1}.")
    return LabelledImages(images.unsqueeze(1).contiguous(), labels.contiguous())
