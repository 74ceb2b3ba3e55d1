"""Held-out validation images: disjoint from training, stratified, decided by the seed."""

import dataclasses

import pytest
import torch

from mnist_trainer.data.images import DataSet
from mnist_trainer.data.split import split, stratified_holdout
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
