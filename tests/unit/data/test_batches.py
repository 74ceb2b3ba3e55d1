"""Both loaders give the same batches; an epoch is a function of seed and epoch number."""

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.data.batches import (
    Batches,
    DataLoaderBatches,
    ResidentBatches,
    sample_epoch,
    stream_seed,
)
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import ConfigError
from tests.conftest import Compose


@pytest.fixture
def cpu(compose: Compose) -> Device:
    return select_device(compose("device=cpu").device)


def transforms(compose: Compose, choice: str) -> Transforms:
    config = compose(f"transforms={choice}")
    return build_transforms(config.transforms.fixed, config.transforms.random)


def collect(
    batches: Batches, *, draws: int, start: int = 0, epoch: int = 0, count: int = 640
) -> tuple[Tensor, Tensor, list[int]]:
    seen = list(batches.epoch(sample_epoch(count, draws, seed=3, epoch=epoch), start))
    return (
        torch.cat([i for i, _ in seen]),
        torch.cat([label for _, label in seen]),
        [len(label) for _, label in seen],
    )


@pytest.mark.parametrize("choice", ["normalize", "augment", "photos", "corrupt", "none"])
@pytest.mark.parametrize("workers", [0, 2])
def test_both_loaders_show_the_same_images_in_the_same_order(
    choice: str, workers: int, compose: Compose, cpu: Device, some_images: LabelledImages
) -> None:
    each = transforms(compose, choice)
    resident = collect(ResidentBatches(some_images, each, cpu, 100), draws=each.num_random_params)
    loaded = collect(
        DataLoaderBatches(some_images, each, cpu, 100, workers), draws=each.num_random_params
    )
    assert torch.equal(resident[1], loaded[1])
    assert torch.allclose(resident[0], loaded[0], atol=1e-5)
    assert resident[2] == loaded[2] == [100] * 6 + [40]


def test_an_epoch_shows_every_image_once(
    compose: Compose, cpu: Device, some_images: LabelledImages
) -> None:
    numbered = LabelledImages(some_images.images, torch.arange(640))
    batches = ResidentBatches(numbered, transforms(compose, "normalize"), cpu, 64)
    for epoch in range(2):
        _, labels, _ = collect(batches, draws=0, epoch=epoch)
        assert torch.equal(labels.sort().values, torch.arange(640))


def test_epochs_differ_and_seeds_differ_and_both_repeat() -> None:
    sampler = sample_epoch(1000, 2, seed=0, epoch=0)
    again = sample_epoch(1000, 2, seed=0, epoch=0)
    assert torch.equal(sampler.indices, again.indices)
    assert torch.equal(sampler.random_params, again.random_params)
    for other in (sample_epoch(1000, 2, seed=0, epoch=1), sample_epoch(1000, 2, seed=1, epoch=0)):
        assert not torch.equal(sampler.indices, other.indices)
        assert not torch.equal(sampler.random_params, other.random_params)
    assert stream_seed(1, 0) != stream_seed(0, 1)


def test_planning_does_not_touch_the_global_random_state() -> None:
    before = torch.get_rng_state()
    sample_epoch(1000, 2, seed=0, epoch=0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
def test_an_epoch_can_be_entered_at_any_batch(
    loader: str, compose: Compose, cpu: Device, some_images: LabelledImages
) -> None:
    each = transforms(compose, "augment")
    batches: Batches = (
        ResidentBatches(some_images, each, cpu, 64)
        if loader == "resident"
        else DataLoaderBatches(some_images, each, cpu, 64, 0)
    )
    whole = collect(batches, draws=each.num_random_params)
    for start in (1, 9, 10):
        if start == 10:
            assert list(batches.epoch(sample_epoch(640, each.num_random_params, 3, 0), start)) == []
            continue
        rest = collect(batches, draws=each.num_random_params, start=start)
        assert torch.equal(rest[0], whole[0][64 * start :])
        assert torch.equal(rest[1], whole[1][64 * start :])


class Shuffled(nn.Module):
    """A transform that makes its own random numbers, as torchvision's do."""

    def forward(self, image: Tensor) -> Tensor:
        return image + torch.rand(())


def test_a_transform_with_its_own_randomness_needs_the_dataloader(
    cpu: Device, some_images: LabelledImages
) -> None:
    with pytest.raises(ConfigError, match=r"data\.loader=dataloader"):
        ResidentBatches(some_images, Transforms((), (Shuffled(),)), cpu, 64)


def test_and_then_draws_for_each_image_alike_with_any_number_of_workers(
    cpu: Device, some_images: LabelledImages
) -> None:
    each = Transforms((), (Shuffled(),))
    black = LabelledImages(torch.zeros_like(some_images.images), some_images.labels)
    alone, shared = (
        collect(DataLoaderBatches(black, each, cpu, 64, n), draws=0)[0] for n in (0, 2)
    )
    assert torch.equal(alone, shared)
    assert len(alone[:, 0, 0, 0].unique()) > 600
