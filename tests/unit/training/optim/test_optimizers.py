"""Muon: beside PyTorch's own for matrices, beside its AdamW for the rest."""

import copy

import pytest
import torch
from torch import nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_model
from mnist_trainer.models.dense import FCN
from mnist_trainer.training.optim.build import build_optimizer
from mnist_trainer.training.optim.optimizers import Muon, orthogonalized
from tests.conftest import Compose


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16), (1, 9)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 30
    u, values, v = torch.linalg.svd(orthogonalized(matrix, rounds=5), full_matrices=False)
    assert (values > 0.6).all()
    assert (values < 1.3).all()
    before_u, _, before_v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.allclose(u @ v, before_u @ before_v, atol=2e-3)


def test_a_matrix_of_zeros_stays_one() -> None:
    assert torch.equal(orthogonalized(torch.zeros(3, 5), 5), torch.zeros(3, 5))


def gradients_of(parameters: list[nn.Parameter], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_hidden_matrices_are_updated_as_by_pytorch() -> None:
    """PyTorch orthogonalizes in bfloat16, which leaves two digits."""
    ours = [nn.Parameter(torch.randn(20, 30)), nn.Parameter(torch.randn(10, 20))]
    theirs = nn.Parameter(ours[0].detach().clone())
    options = {"lr": 0.05, "weight_decay": 0.1, "momentum": 0.9}
    optimizer = Muon(ours, **options)  # type: ignore[arg-type]
    reference = torch.optim.Muon([theirs], adjust_lr_fn="match_rms_adamw", **options)  # type: ignore[arg-type]
    start = theirs.detach().clone()
    for step in range(5):
        gradients_of(ours, step)
        theirs.grad = None if ours[0].grad is None else ours[0].grad.clone()
        optimizer.step()
        reference.step()
    moved = (theirs - start).norm()
    assert moved > 0.5
    assert (ours[0] - theirs).norm() < 0.03 * moved


def test_all_else_is_updated_as_by_adamw() -> None:
    model = FCN(num_classes=10, hidden=[12], activation="relu", dropout=0)
    twin = copy.deepcopy(model)
    parameters, others = list(model.parameters()), list(twin.parameters())
    optimizer = Muon(parameters, lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6)
    reference = torch.optim.AdamW(others, lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), eps=1e-6)
    for step in range(4):
        gradients_of(parameters, step)
        gradients_of(others, step)
        optimizer.step()
        reference.step()
    for index in (1, 2, 3):  # The bias of the hidden layer, and the output layer.
        assert torch.allclose(parameters[index], others[index], atol=1e-6)
    assert not torch.allclose(parameters[0], others[0], atol=1e-3)


def test_filters_are_matrices_of_their_own_and_lie_as_they_did(compose: Compose) -> None:
    model = build_model(compose("model=cnn").model, 10).to(memory_format=torch.channels_last)
    optimizer = Muon(model.parameters(), lr=0.1, weight_decay=0)
    weight = next(each for each in model.parameters() if each.shape == (20, 10, 5, 5))
    before = weight.detach().clone()
    gradients_of(list(model.parameters()), 0)
    for parameter in model.parameters():
        assert parameter.grad is not None
        parameter.grad = parameter.grad.contiguous(memory_format=torch.preserve_format)
    optimizer.step()
    values = torch.linalg.svdvals((weight - before).flatten(1)) / (0.1 * 0.2 * 250**0.5)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_the_state_goes_through_a_checkpoint() -> None:
    models = [FCN(num_classes=10, hidden=[8], activation="relu", dropout=0) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    first, second = (Muon(model.parameters(), lr=0.01) for model in models)
    gradients_of(list(models[0].parameters()), 0)
    first.step()
    models[1].load_state_dict(models[0].state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimizer in zip(models, (first, second), strict=True):
        gradients_of(list(model.parameters()), 1)
        optimizer.step()
    assert all(
        torch.equal(a, b)
        for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True)
    )


def test_a_network_of_one_layer_is_adamws(compose: Compose) -> None:
    config = compose("model=linear", "optimizer=muon")
    optimizer = build_optimizer(config.optimizer, build_model(config.model, 10))
    assert [group["orthogonal"] for group in optimizer.param_groups] == [False]


@pytest.mark.parametrize(
    "word",
    ["optimizer.rounds=0", "optimizer.betas=[0.9]", "optimizer.weight_decay=-1", "optimizer.eps=0"],
)
def test_numbers_out_of_range_are_refused(word: str, compose: Compose) -> None:
    def build() -> None:
        config = compose("optimizer=muon", word)
        build_optimizer(config.optimizer, build_model(config.model, 10))

    with pytest.raises(ConfigError, match=r"optimizer"):
        build()
