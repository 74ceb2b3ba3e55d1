"""Training, validation and test split: validation images are held out of the training images, so
many or one fold of them."""

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
    labels = dataset.train.labels
    if settings.folds is not None and settings.fold is not None:
        folds = stratified_folds(labels, settings.folds, settings.split_seed, dataset.num_added)
        kept, held_out = folds.hold_out(settings.fold)
    else:
        kept, held_out = stratified_holdout(labels, settings.validation_size, settings.split_seed)
    if settings.per_class is not None:
        kept = kept[first_of_each_class(labels[kept], settings, dataset.class_names)]
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


@dataclass(frozen=True)
class Folds:
    """Training images cut into folds."""

    order: Tensor
    """Indexes of all images, shuffled, (N,)."""
    fold: Tensor
    """The fold of each image in that order, (N,); -1 for those that no fold holds."""

    def hold_out(self, fold: int) -> tuple[Tensor, Tensor]:
        """Indexes to keep and indexes held out, both shuffled: a limit takes a random part."""
        held_out = self.fold == fold
        return self.order[~held_out], self.order[held_out]


def stratified_folds(labels: Tensor, num_folds: int, seed: int, num_added: int = 0) -> Folds:
    """Cut images into disjoint folds that together hold all of them.

    The images of a class, in shuffled order, go to the folds in turn, each class where the one
    before it ended. So the folds differ by at most one image, in all and in each class.

    Args:
        labels: int64, (N,).
        num_added: so many at the end are in no fold.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    dealt = (order < len(labels) - num_added).nonzero().flatten()
    by_class = dealt[labels[order[dealt]].argsort(stable=True)]
    fold = torch.full_like(order, -1)
    fold[by_class] = torch.arange(len(by_class)) % num_folds
    return Folds(order, fold)


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
        held_out = (
            f"data.validation_size={settings.validation_size:,}"
            if settings.folds is None
            else f"fold {settings.fold} of data.folds={settings.folds}"
        )
        raise ConfigError(
            f"data.per_class={wanted}: class {class_names[rarest]} of {settings.name} has"
            f" {most:,} training images, with {held_out} held out. Use at most"
            f" data.per_class={most}, or null for all images"
        )
    one_hot = torch.nn.functional.one_hot(labels, len(class_names))
    number = one_hot.cumsum(dim=0).gather(1, labels.unsqueeze(1)).squeeze(1)  # From 1, (N,).
    return (number <= wanted).nonzero().flatten()
