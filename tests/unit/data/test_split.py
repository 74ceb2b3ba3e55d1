"""Held-out validation images: disjoint from training, stratified, decided by the seed."""

import dataclasses

import pytest
import torch

from mnist_trainer.data.images import DataSet
from mnist_trainer.data.split import split, stratified_holdout
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
