"""Random numbers by counter: of each image alone, and as good as random."""

import pytest
import torch

from mnist_trainer.data.corruptions.counter_rng import CounterRNG

CPU = torch.device("cpu")


def rng(seed: int = 0, name: str = "fog", first: int = 0, count: int = 100) -> CounterRNG:
    return CounterRNG.of_images(seed, name, first, count, CPU)


def test_numbers_belong_to_seed_name_and_index() -> None:
    whole = rng().uniform(50)
    assert torch.equal(rng(first=40, count=3).uniform(50), whole[40:43])
    for other in (rng(seed=1), rng(name="shear"), rng(first=1)):
        assert (other.uniform(50) == whole).float().mean() < 0.01


def test_draws_go_on_where_the_last_one_ended() -> None:
    parts = rng()
    assert torch.equal(torch.cat([parts.bits(7), parts.bits(13)], dim=1), rng().bits(20))


def test_uniform_numbers_are_uniform_and_independent() -> None:
    numbers = rng(count=1000).uniform(1000).double()
    assert float(numbers.min()) >= 0
    assert float(numbers.max()) < 1
    # A tenth of a million numbers in each of ten bins: standard deviation 300.
    counts = torch.histc(numbers, 10, 0, 1)
    assert float((counts - 100_000).abs().max()) < 1500
    for beside in (numbers[:, 1:] - 0.5, numbers.roll(1, 0)[:, 1:] - 0.5):
        other = numbers[:, :-1] - 0.5
        assert abs(float((beside * other).mean()) * 12) < 0.005  # 5 standard deviations


def test_each_bit_is_one_half_of_the_time() -> None:
    bits = rng(count=1000).bits(100)
    shares = torch.stack([((bits >> k) & 1).double().mean() for k in range(32)])
    assert float((shares - 0.5).abs().max()) < 0.008  # 5 standard deviations


def test_whole_numbers_are_all_below_the_limit() -> None:
    numbers = rng(count=10_000).integers(7)
    assert torch.bincount(numbers).tolist() == pytest.approx([10_000 / 7] * 7, abs=180)


def test_normal_numbers_have_the_moments_of_the_normal_distribution() -> None:
    numbers = rng(count=1000).normal(1000).double()
    moments = [float((numbers**k).mean()) for k in (1, 2, 3, 4)]
    assert moments == pytest.approx([0, 1, 0, 3], abs=0.05)


def test_uniforms_of_the_loader_give_numbers_of_each_image_alone() -> None:
    uniforms = torch.rand(20, 2, generator=torch.Generator().manual_seed(0))
    whole = CounterRNG.of_uniforms(uniforms).uniform(9)
    assert torch.equal(CounterRNG.of_uniforms(uniforms[7:9]).uniform(9), whole[7:9])
    for column in range(2):
        changed = uniforms.clone()
        changed[:, column] = 0.123
        assert not bool((CounterRNG.of_uniforms(changed).uniform(9) == whole).all(dim=1).any())
