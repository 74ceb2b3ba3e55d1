"""Corruptions while training: pure functions of images and numbers, of the kinds asked for."""

import pytest
import torch
from torch import Tensor

from mnist_trainer.data.corruptions.apply import CORRUPTIONS, STRENGTHS
from mnist_trainer.data.corruptions.transform import RandomCorruption


def images(count: int = 40, size: int = 28) -> Tensor:
    made = torch.zeros(count, 1, size, size)
    noise = torch.rand(count, 1, size // 2, size // 2, generator=torch.Generator().manual_seed(0))
    made[..., size // 4 : size // 4 + size // 2, size // 4 : size // 4 + size // 2] = noise
    made[..., size // 2, size // 2] = 1
    return made


def draws(count: int = 40) -> Tensor:
    return torch.rand(count, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_image_has_its_own_random_params(kind: str) -> None:
    transform = RandomCorruption([kind], STRENGTHS, 1.0)
    clean, params = images(12), draws(12)
    copy = clean.clone()
    together = transform(clean, params)
    assert torch.equal(clean, copy)
    apart = torch.cat([transform(clean[k : k + 1], params[k : k + 1]) for k in range(12)])
    assert torch.equal(together, apart)
    assert bool(((together - clean).abs().amax(dim=(1, 2, 3)) > 0.05).all())
    assert float(together.min()) >= 0
    assert float(together.max()) <= 1 + 1e-6


def test_the_share_asked_for_is_corrupted_by_kinds_and_strengths_alike() -> None:
    transform = RandomCorruption(["brightness", "stripe"], [1, 3], 0.6)
    choice = transform.choose(torch.rand(20_000, 4, generator=torch.Generator().manual_seed(2)))
    shares = torch.bincount(choice + 1, minlength=5) / 20_000
    assert shares.tolist() == pytest.approx([0.4, 0.15, 0.15, 0.15, 0.15], abs=0.015)
    assert [kind.parameters[strength - 1] for kind, strength in transform.choices] == [
        0.1, 0.3, 3, 7,
    ]  # fmt: skip


@pytest.mark.parametrize("largest", [0.0, 1 - 2**-24])
def test_the_ends_of_the_unit_interval_choose_a_kind(largest: float) -> None:
    transform = RandomCorruption(CORRUPTIONS, STRENGTHS, 1.0)
    expected = 0 if largest == 0 else len(CORRUPTIONS) * len(STRENGTHS) - 1
    assert transform.choose(torch.full((1, 4), largest)).tolist() == [expected]


def test_with_probability_zero_images_stay() -> None:
    assert torch.allclose(RandomCorruption(["fog"], [5], 0.0)(images(), draws()), images())


def test_normalized_images_are_treated_as_those_of_0_to_1() -> None:
    kinds = [
        kind for kind in CORRUPTIONS if kind not in ("shot_noise", "glass_blur", "canny_edges")
    ]
    transform = RandomCorruption(kinds, STRENGTHS, 1.0)
    expected = 3.2 * transform(images(), draws()) - 0.4
    assert torch.allclose(transform(3.2 * images() - 0.4, draws()), expected, atol=1e-4)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_images_of_other_sizes_are_corrupted_too(kind: str) -> None:
    small = RandomCorruption([kind], STRENGTHS, 1.0)(images(10, 20), draws(10))
    assert small.shape == (10, 1, 20, 20)
    assert bool(small.isfinite().all())


def test_a_blank_image_stays_finite() -> None:
    blank = torch.full((75, 1, 28, 28), -0.42)
    params = draws(75)
    assert bool(RandomCorruption(CORRUPTIONS, STRENGTHS, 1.0)(blank, params).isfinite().all())
