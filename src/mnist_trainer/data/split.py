"""Training, validation and test split: validation images are held out of the training images."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.data.images import DataSet, LabelledImages


@dataclass(frozen=True)
class Splits:
    """The images of a run, by purpose."""

    train: LabelledImages
    validation: LabelledImages
    """Empty where ``data.validation_size=0``."""
    test: LabelledImages
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    """Hashes of the files or arrays that the images came from."""

    @property
    def num_classes(self) -> int:
        return len(self.class_names)


def split(dataset: DataSet, settings: DataSettings) -> Splits:
    """Hold out validation images, then apply the limit of each part."""
    kept, held_out = stratified_holdout(
        dataset.train.labels, settings.validation_size, settings.split_seed
    )
    return Splits(
        train=dataset.train.select(kept).first(settings.train_limit),
        validation=dataset.train.select(held_out).first(settings.validation_limit),
        test=dataset.test.first(settings.test_limit),
        class_names=dataset.class_names,
        sha256=dataset.sha256,
    )


def stratified_holdout(labels: Tensor, size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Indexes to keep and indexes held out, the same fraction of each class up to one image.

    Counts are rounded by largest remainder, so that exactly ``size`` images are held out. Both
    results are shuffled, so that a limit takes a random part of them.

    Args:
        labels: int64, (N,).
        size: how many to hold out, 0 to N.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(labels), generator=generator)
    counts = torch.bincount(labels)
    exact = counts.double() * size / len(labels)
    quota = exact.floor().long()
    leftover = size - int(quota.sum())
    quota[(exact - quota).argsort(descending=True, stable=True)[:leftover]] += 1
    shuffled = labels[order]
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label, wanted in enumerate(quota.tolist()):
        held_out[(shuffled == label).nonzero().flatten()[:wanted]] = True
    return order[~held_out], order[held_out]
