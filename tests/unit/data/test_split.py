"""Held-out validation images: disjoint from training, stratified, decided by the seed."""

import dataclasses
from pathlib import Path

import pytest
import torch

from mnist_trainer.data.embedded import load_mnist_printed
from mnist_trainer.data.images import DataSet, LabelledImages
from mnist_trainer.data.split import split, stratified_folds, stratified_holdout
from mnist_trainer.errors import ConfigError
from tests.conftest import Compose


@pytest.mark.parametrize("size", [0, 1, 7, 5000, 59_999])
def test_split_is_a_partition(size: int, mnist: DataSet) -> None:
    kept, held_out = stratified_holdout(mnist.train.labels, size, seed=0)
    assert len(held_out) == size
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(60_000))


def test_split_is_stratified(mnist: DataSet) -> None:
    _, held_out = stratified_holdout(mnist.train.labels, 5000, seed=0)
    given = torch.bincount(mnist.train.labels[held_out]).double()
    exact = torch.bincount(mnist.train.labels).double() * 5000 / 60_000
    assert (given - exact).abs().max() < 1


def test_split_seed_decides_the_split(mnist: DataSet) -> None:
    first, again, other = (
        stratified_holdout(mnist.train.labels, 5000, seed)[1] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first.sort().values, other.sort().values)


def test_run_seed_leaves_the_split_unchanged(mnist: DataSet, compose: Compose) -> None:
    first, other = (split(mnist, compose(f"seed={seed}").data) for seed in (0, 1))
    assert torch.equal(first.validation.images, other.validation.images)


def test_limits_shorten_each_part_of_the_same_split(mnist: DataSet, compose: Compose) -> None:
    settings = compose().data
    whole = split(mnist, settings)
    limited = split(
        mnist, dataclasses.replace(settings, train_limit=100, validation_limit=50, test_limit=20)
    )
    assert (len(limited.train), len(limited.validation), len(limited.test)) == (100, 50, 20)
    assert torch.equal(limited.train.images, whole.train.images[:100])
    assert torch.equal(limited.validation.images, whole.validation.images[:50])


def test_test_images_keep_their_published_order(mnist: DataSet, compose: Compose) -> None:
    parts = split(mnist, compose().data)
    assert torch.equal(parts.test.images, mnist.test.images)


@pytest.mark.parametrize("count", [1, 10, 4000])
def test_per_class_keeps_so_many_training_images_of_each_class(
    count: int, mnist: DataSet, compose: Compose
) -> None:
    parts = split(mnist, compose(f"data.per_class={count}").data)
    assert torch.bincount(parts.train.labels).tolist() == [count] * 10
    assert (len(parts.validation), len(parts.test)) == (5_000, 10_000)


def test_per_class_takes_the_first_of_each_class_of_the_whole_split(
    mnist: DataSet, compose: Compose
) -> None:
    whole = split(mnist, compose().data)
    few = split(mnist, compose("data.per_class=3").data)
    assert torch.equal(few.validation.images, whole.validation.images)
    for label in range(10):
        of_class = whole.train.images[whole.train.labels == label]
        assert torch.equal(few.train.images[few.train.labels == label], of_class[:3])
    # In the order of the whole split, so not class by class.
    assert few.train.labels.tolist() != sorted(few.train.labels.tolist())


def test_more_per_class_contains_fewer(mnist: DataSet, compose: Compose) -> None:
    few, more = (split(mnist, compose(f"data.per_class={count}").data) for count in (5, 50))
    rows = {bytes(image.numpy()) for image in more.train.images}
    assert all(bytes(image.numpy()) in rows for image in few.train.images)


def test_the_split_seed_chooses_the_few_and_the_run_seed_does_not(
    mnist: DataSet, compose: Compose
) -> None:
    first, run_seed, split_seed = (
        split(mnist, compose("data.per_class=10", *words).data)
        for words in ((), ("seed=1",), ("data.split_seed=1",))
    )
    assert torch.equal(first.train.images, run_seed.train.images)
    assert not torch.equal(first.train.images, split_seed.train.images)


def test_a_limit_shortens_the_few(mnist: DataSet, compose: Compose) -> None:
    few, shorter = (
        split(mnist, compose("data.per_class=10", *words).data)
        for words in ((), ("data.train_limit=15",))
    )
    assert torch.equal(shorter.train.images, few.train.images[:15])


def test_more_than_there_are_is_refused(mnist: DataSet, compose: Compose) -> None:
    rarest = int(torch.bincount(mnist.train.labels).min())
    with pytest.raises(ConfigError) as refused:
        split(mnist, compose("data.per_class=5422", "data.validation_size=0").data)
    assert str(refused.value) == (
        f"data.per_class=5422: class 5 of mnist has {rarest:,} training images, with"
        " data.validation_size=0 held out. Use at most data.per_class=5421, or null for all images"
    )
    assert len(split(mnist, compose("data.per_class=5421", "data.validation_size=0").data).train)


def indexes_by_fold(mnist: DataSet, num_folds: int, seed: int = 0) -> list[torch.Tensor]:
    folds = stratified_folds(mnist.train.labels, num_folds, seed)
    return [folds.hold_out(fold)[1] for fold in range(num_folds)]


@pytest.mark.parametrize("num_folds", [2, 5, 7, 1000])
def test_folds_are_a_stratified_partition(num_folds: int, mnist: DataSet) -> None:
    parts = indexes_by_fold(mnist, num_folds)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(60_000))
    sizes = torch.tensor([len(part) for part in parts])
    counts = torch.stack([torch.bincount(mnist.train.labels[p], minlength=10) for p in parts])
    assert sizes.max() - sizes.min() <= 1
    assert (counts.max(dim=0).values - counts.min(dim=0).values).max() <= 1


def test_what_a_fold_leaves_is_trained_on(mnist: DataSet) -> None:
    kept, held_out = stratified_folds(mnist.train.labels, 5, seed=3).hold_out(2)
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(60_000))
    # Shuffled: a limit takes images of all classes.
    assert len(set(mnist.train.labels[kept[:100]].tolist())) == 10


def test_split_seed_decides_the_folds(mnist: DataSet) -> None:
    first, again, other = (indexes_by_fold(mnist, 5, seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first.sort().values, other.sort().values)


@pytest.mark.parametrize("size", [0, 5000])
def test_a_fold_takes_the_place_of_validation_size(
    size: int, mnist: DataSet, compose: Compose
) -> None:
    # Of a configuration file; typed beside a fold it is refused.
    settings = dataclasses.replace(
        compose("data.folds=5", "data.fold=4").data, validation_size=size
    )
    parts = split(mnist, settings)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (48_000, 12_000, 10_000)


def test_limits_and_per_class_apply_after_the_fold(mnist: DataSet, compose: Compose) -> None:
    words = ("data.folds=10", "data.fold=9", "data.per_class=20", "data.validation_limit=50")
    parts = split(mnist, compose(*words).data)
    assert torch.bincount(parts.train.labels).tolist() == [20] * 10
    assert len(parts.validation) == 50
    with pytest.raises(ConfigError, match=r"with fold 9 of data\.folds=10 held out"):
        split(mnist, compose(*words[:2], "data.per_class=6000").data)


def test_added_images_are_in_no_fold(mnist: DataSet, compose: Compose) -> None:
    added = mnist.train.images[:1000].bitwise_not()
    train = LabelledImages(
        torch.cat([mnist.train.images, added]),
        torch.cat([mnist.train.labels, mnist.train.labels[:1000]]),
    )
    more = dataclasses.replace(mnist, train=train, num_added=1000)
    parts = split(more, compose("data.folds=6", "data.fold=0").data)
    assert (len(parts.train), len(parts.validation)) == (51_000, 10_000)
    # The inverted images are bright.
    assert int((parts.train.images.float().mean(dim=(1, 2, 3)) > 127).sum()) >= 1000
    assert int((parts.validation.images.float().mean(dim=(1, 2, 3)) > 127).sum()) == 0


def test_printed_digits_are_known_as_added(data_root: Path) -> None:
    assert load_mnist_printed(data_root).num_added == 20_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("data.folds=5",), r"data\.folds=5: name the fold .* data\.fold=0 to 4"),
        (("data.fold=1",), r"data\.fold=1: of how many\? Add data\.folds=5"),
        (("data.folds=5", "data.fold=5"), r"data\.fold=5: must be 0 to 4 with"),
        (("data.folds=1", "data.fold=0"), r"data\.folds=1: .*at least 2"),
    ],
)
def test_a_fold_that_is_none_is_refused(
    words: tuple[str, ...], said: str, compose: Compose
) -> None:
    with pytest.raises(ConfigError, match=said):
        compose(*words)
