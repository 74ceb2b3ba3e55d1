"""FGSM and PGD: the worst case of a linear network, the bound, and what an attack leaves alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.training.adversary import (
    AllowedRange,
    allowed_range,
    cross_entropy,
    fgsm,
    input_gradient,
    is_correct,
    margin,
    maximize_loss,
    pgd,
)

N = 40
Attack = Callable[[nn.Module, Tensor, Tensor, float], Tensor]


def by_fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    return fgsm(model, images, labels, epsilon)


def by_pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    *,
    restarts: int = 1,
    seed: int = 0,
) -> Tensor:
    return pgd(
        model,
        images,
        labels,
        epsilon,
        steps=50,
        step_size=0.02,  # 50 steps of 0.01 do not cross a range of 0.6.
        restarts=restarts,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.fixture
def images() -> Tensor:
    """Half of the pixels at a bound, as in MNIST."""
    generator = torch.Generator().manual_seed(1)
    return (2 * torch.rand(N, 1, 28, 28, generator=generator) - 0.5).clamp(0, 1)


def linear(num_classes: int) -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, num_classes))


def worst_margins(model: nn.Sequential, images: Tensor, epsilon: float, labels: Tensor) -> Tensor:
    """Largest margin of each other class over the label's, (N, C), in closed form: each pixel goes
    as far as it may to the side to which the difference of the two classes' weights points."""
    layer = model[1]
    assert isinstance(layer, nn.Linear)
    weight, bias = layer.weight.detach(), layer.bias.detach()
    pixels = images.flatten(1)
    lower, upper = (pixels - epsilon).clamp(min=0), (pixels + epsilon).clamp(max=1)
    difference = weight[None] - weight[labels][:, None]  # (N, C, 784)
    worst = torch.where(difference > 0, upper[:, None], lower[:, None])
    return (worst * difference).sum(dim=2) + bias[None] - bias[labels][:, None]


def margins(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    logits: Tensor = model(images).detach()
    return logits - logits.gather(1, labels[:, None])


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("attack", [by_fgsm, by_pgd])
def test_reaches_the_worst_case_of_a_linear_network(
    attack: Attack, epsilon: float, images: Tensor
) -> None:
    model = linear(2)
    labels = model(images).argmax(dim=1)  # All correct, so that none is spared.
    worst = worst_margins(model, images, epsilon, labels).gather(1, 1 - labels[:, None])
    found = margins(model, attack(model, images, labels, epsilon), labels)
    assert (found.gather(1, 1 - labels[:, None]) - worst).abs().max() < 1e-4
    clean = margins(model, images, labels).gather(1, 1 - labels[:, None])
    assert (worst - clean).min() > 0.01


def test_each_image_reaches_its_worst_case(images: Tensor) -> None:
    model = linear(2)
    labels = torch.arange(N) % 2
    allowed = allowed_range(images, 0.2)
    start = allowed.sample(torch.Generator().manual_seed(0))
    for loss in (cross_entropy, margin):
        found = maximize_loss(model, start, labels, allowed, steps=50, step_size=0.01, loss=loss)
        worst = worst_margins(model, images, 0.2, labels).gather(1, 1 - labels[:, None])
        reached = margins(model, found, labels).gather(1, 1 - labels[:, None])
        assert (reached - worst).abs().max() < 1e-4


def test_never_passes_the_worst_case_of_ten_classes(images: Tensor) -> None:
    model = linear(10)
    labels = model(images).argmax(dim=1)
    worst = worst_margins(model, images, 0.03, labels).amax(dim=1)
    fooled = by_pgd(model, images, labels, 0.03, restarts=4)
    found = margins(model, fooled, labels)
    others = found.masked_fill(nn.functional.one_hot(labels, 10).bool(), -torch.inf).amax(dim=1)
    assert (others <= worst + 1e-4).all()
    assert not is_correct(model, fooled, labels)[worst > 1e-3].any()
    assert is_correct(model, fooled, labels)[worst < -1e-3].all()


@pytest.mark.parametrize("attack", [by_fgsm, by_pgd])
def test_stays_within_epsilon_and_the_pixels_range(attack: Attack, images: Tensor) -> None:
    before, labels = images.clone(), torch.arange(N) % 10
    found = attack(linear(10), images, labels, 0.25)
    assert (found - images).abs().max() <= 0.25 + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(images, before)
    assert not found.requires_grad


def network() -> nn.Module:
    torch.manual_seed(5)
    blocks = [{"channels": 4, "kernel_size": 5, "stride": 2}]
    return ConvNet(blocks, True, [], "relu", 0.3, num_classes=10).eval()


@pytest.mark.parametrize("attack", [by_fgsm, by_pgd])
def test_leaves_the_network_and_the_global_generator_alone(attack: Attack, images: Tensor) -> None:
    model = network()
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state = torch.get_rng_state()
    attack(model, images, model(images).argmax(dim=1), 0.1)
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert (parameter.grad == 7).all()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_the_generator_decides_the_result(images: Tensor) -> None:
    model = network()
    labels = model(images).argmax(dim=1)
    first, again, other = (by_pgd(model, images, labels, 0.01, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_fooled_image_is_not_attacked_again(images: Tensor) -> None:
    model = network()
    labels = model(images).argmax(dim=1)
    labels[:7] = (labels[:7] + 1) % 10
    once = by_pgd(model, images, labels, 0.02, restarts=1)
    standing = is_correct(model, once, labels)
    assert 7 < int((~standing).sum()) < N
    sizes = []

    def counting(batch: Tensor) -> Tensor:
        sizes.append(len(batch))
        logits: Tensor = model(batch)
        return logits

    twice = by_pgd(counting, images, labels, 0.02, restarts=2)  # type: ignore[arg-type]
    assert torch.equal(once[:7], images[:7])
    assert torch.equal(twice[~standing], once[~standing])
    assert sizes == [N, *[N - 7] * 51, *[int(standing.sum())] * 51]


def test_margin_by_hand() -> None:
    logits = torch.tensor([[1.0, 5.0, 3.0], [2.0, -1.0, 0.5]])
    assert margin(logits, torch.tensor([1, 2])).item() == pytest.approx((3 - 5) + (2 - 0.5))


def test_the_margin_has_a_gradient_where_the_softmax_is_saturated(images: Tensor) -> None:
    model = linear(10)
    labels = model(images).argmax(dim=1)

    def saturated(batch: Tensor) -> Tensor:
        return 1e4 * model(batch)  # type: ignore[no-any-return]

    sure = margins(model, images, labels).topk(2).values[:, 1] < -0.05
    assert sure.sum() > 5
    by_loss = input_gradient(saturated, images[sure], labels[sure], cross_entropy)
    by_margin = input_gradient(saturated, images[sure], labels[sure], margin)
    assert not by_loss.any()
    assert by_margin.flatten(1).any(dim=1).all()


@pytest.mark.parametrize(
    "logits_of",
    [
        lambda images: linear(10)(images).detach(),
        lambda images: torch.zeros(len(images), 10, requires_grad=True) + 0,
        lambda images: linear(10)(images) * torch.nan,
    ],
    ids=["detached", "constant", "nan"],
)
def test_without_a_gradient_the_images_do_not_move(
    logits_of: Callable[[Tensor], Tensor], images: Tensor
) -> None:
    labels = torch.zeros(N, dtype=torch.int64)
    assert torch.equal(fgsm(logits_of, images, labels, 0.1), images)


def test_allowed_range_by_hand() -> None:
    images = torch.tensor([0.0, 0.5, 0.95, 1.2])
    allowed = allowed_range(images, 0.1)
    assert torch.allclose(allowed.lower, torch.tensor([0.0, 0.4, 0.85, 1.1]))
    assert torch.allclose(allowed.upper, torch.tensor([0.1, 0.6, 1.0, 1.2]))
    assert torch.equal(allowed.at(torch.zeros(4)), allowed.lower)
    assert torch.equal(
        AllowedRange(torch.zeros(2), torch.ones(2)).project(torch.tensor([-1.0, 3.0])),
        torch.tensor([0.0, 1.0]),
    )
