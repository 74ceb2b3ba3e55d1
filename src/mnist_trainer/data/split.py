"""Training, validation and test split: validation images are held out of the training images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.data.images import DataSet, LabelledImages
from mnist_trainer.errors import ConfigError


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
    """Hold out validation images, keep as many training images of each class as are wanted, then
    apply the limit of each part.

    Raises:
        ConfigError: a class has fewer training images than ``data.per_class``.
    """
    kept, held_out = stratified_holdout(
        dataset.train.labels, settings.validation_size, settings.split_seed
    )
    if settings.per_class is not None:
        kept = kept[first_of_each_class(dataset.train.labels[kept], settings, dataset.class_names)]
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


def first_of_each_class(
    labels: Tensor, settings: DataSettings, class_names: Sequence[str]
) -> Tensor:
    """Indexes of the first ``data.per_class`` images of each class, in their order.

    Args:
        labels: int64, (N,), shuffled.

    Raises:
        ConfigError: a class has fewer.
    """
    wanted = settings.per_class or 0
    counts = torch.bincount(labels, minlength=len(class_names))
    if int(counts.min()) < wanted:
        rarest, most = int(counts.argmin()), int(counts.min())
        raise ConfigError(
            f"data.per_class={wanted}: class {class_names[rarest]} of {settings.name} has"
            f" {most:,} training images, with data.validation_size={settings.validation_size:,}"
            f" held out. Use at most data.per_class={most}, or null for all images"
        )
    one_hot = torch.nn.functional.one_hot(labels, len(class_names))
    number = one_hot.cumsum(dim=0).gather(1, labels.unsqueeze(1)).squeeze(1)  # From 1, (N,).
    return (number <= wanted).nonzero().flatten()
