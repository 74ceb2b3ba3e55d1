"""Accuracy under attack: falls with epsilon, is seeded, and says when the gradients mislead."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.card.attack_batch import step_size
from mnist_trainer.inference.card.attacks import AttackScores, _why_masked, score_attacks
from mnist_trainer.inference.loading import load_run
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.metrics import wilson_interval
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run

EPSILONS = (0.0, 0.05, 0.1, 0.2)
Score = Callable[..., AttackScores]


@pytest.fixture(scope="module")
def network(mnist: object) -> nn.Module:
    """A small network that knows digits: 200 updates."""
    images = mnist.train.images[:6400].float() / 255  # type: ignore[attr-defined]
    labels = mnist.train.labels[:6400]  # type: ignore[attr-defined]
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for step in range(200):
        part = slice(64 * (step % 100), 64 * (step % 100) + 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(
            model((images[part] - 0.1307) / 0.3081), labels[part]
        ).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def trained(compose: Compose, network: nn.Module, tmp_path: Path) -> TrainedModel:
    run = save_run(compose("model=linear", *SMALL), tmp_path / "run")
    return dataclasses.replace(load_run(run.path, device="cpu"), model=network)


@pytest.fixture
def score(trained: TrainedModel, mnist: object) -> Score:
    """Attack 60 training images; a wrapper may stand around the network."""

    def scored(
        wrap: Callable[[nn.Module], nn.Module] = lambda model: model,
        *,
        epsilons: tuple[float, ...] = EPSILONS,
        restarts: int = 1,
        seed: int = 0,
        translations: int = 1,
    ) -> AttackScores:
        images: LabelledImages = mnist.train  # type: ignore[attr-defined]
        wrapped = dataclasses.replace(
            trained, model=wrap(trained.model).eval(), translations=translations
        )
        return score_attacks(
            wrapped, images.images[:60], images.labels[:60], epsilons=epsilons, steps=10,
            restarts=restarts, seed=seed,
        )  # fmt: skip

    return scored


class Around(nn.Module):
    """A function of the images, the network, a function of its logits."""

    def __init__(
        self,
        model: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> None:
        super().__init__()
        self.model = model
        self.before = before
        self.after = after

    def forward(self, images: Tensor) -> Tensor:
        return self.after(self.model(self.before(images)))


def test_accuracy_falls_and_pgd_is_the_stronger_attack(score: Score) -> None:
    scores = score(restarts=2)
    assert scores.fgsm[0] == scores.pgd[0] > 55
    assert all(a >= b for a, b in zip(scores.pgd, scores.pgd[1:], strict=False))
    assert all(a >= b for a, b in zip(scores.fgsm, scores.pgd, strict=True))
    assert scores.pgd[-1] == 0
    assert scores.masked is None
    assert scores.checks["no_gradient"] == 0


def test_a_change_that_fooled_counts_at_larger_epsilons(score: Score) -> None:
    """The network is wrong on images that are brighter by little, and right again beyond."""

    def wobbling(images: Tensor) -> Tensor:
        return images * torch.sign(torch.cos(images.mean(dim=(1, 2, 3), keepdim=True) * 60))

    scores = score(lambda model: Around(model, before=wobbling), epsilons=(0.0, *[0.01] * 2, 0.02))
    assert scores.epsilons == (0.0, 0.01, 0.02)
    for accuracies in (scores.fgsm, scores.pgd):
        assert list(accuracies) == sorted(accuracies, reverse=True)


def test_the_order_of_epsilons_does_not_matter(score: Score) -> None:
    assert score(epsilons=EPSILONS[::-1]).as_json() == score().as_json()


def test_the_seed_decides_the_numbers(score: Score) -> None:
    first, again, other = (score(epsilons=(0.05, 0.1), seed=seed) for seed in (1, 1, 2))
    assert first.as_json() == again.as_json()
    pairs = list(zip(first.examples, again.examples, strict=True))
    assert pairs
    assert all(torch.equal(a.attacked, b.attacked) for a, b in pairs)
    pairs = list(zip(first.examples, other.examples, strict=True))
    assert any(not torch.equal(a.attacked, b.attacked) for a, b in pairs)


def test_examples_are_fooled_within_epsilon(score: Score, trained: TrainedModel) -> None:
    examples = score().examples
    assert {example.epsilon for example in examples} == {0.05, 0.1, 0.2}
    for example in examples:
        change = (example.attacked - example.original).abs().max()
        assert 0 < change <= example.epsilon + 1e-6
        assert example.predicted != example.label
        (answer,) = trained.predict(example.attacked.clamp(0, 1)).classes
        assert answer == example.predicted


def saturated(model: nn.Module) -> nn.Module:
    return Around(model, after=lambda logits: 1e4 * logits)


def detached(model: nn.Module) -> nn.Module:
    return Around(model, after=torch.Tensor.detach)


def dead(model: nn.Module) -> nn.Module:
    """A ReLU whose input is negative for every image, and a bias that answers 1."""
    one = torch.nn.functional.one_hot(torch.tensor(1), 10)
    return Around(model, after=lambda logits: torch.relu(logits - 1e3) + one)


def thresholded(model: nn.Module) -> nn.Module:
    """Black and white: its steps have no slope."""
    return Around(model, before=lambda images: torch.where(images > 0.5, 2.8, -0.4))


@pytest.mark.parametrize("wrap", [saturated, detached, dead, thresholded])
def test_gradients_that_are_switched_off_are_called_masked(
    wrap: Callable[[nn.Module], nn.Module], score: Score
) -> None:
    scores = score(wrap)
    assert scores.masked is not None
    assert "gradient of the loss is exactly zero" in scores.masked
    assert scores.as_json()["masked"] == scores.masked


def test_saturation_does_not_protect_against_the_margin(score: Score) -> None:
    scores = score(saturated)
    assert scores.pgd[-1] > 30
    assert scores.masked is not None
    assert "margin of the logits" in scores.masked
    assert score(saturated, restarts=2).pgd[-1] < 5


def test_a_gradient_that_points_away_is_found_out(score: Score) -> None:
    """The backward pass turns the sign, so that PGD walks to where the network is surer."""

    class Turned(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, images: Tensor) -> Tensor:  # noqa: ARG004
            return images.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:  # noqa: ARG004
            return -gradient

    scores = score(lambda model: Around(model, before=Turned.apply))
    assert scores.pgd[-1] > 50
    assert scores.masked is not None
    assert "which no network can" in scores.masked


def test_each_check_is_told_above_a_twentieth_of_the_images() -> None:
    for name in ("no_gradient", "missed_fgsm", "missed_noise", "missed_margin", "missed_unbounded"):
        assert _why_masked(Counter({name: 10}), 200) is None
        reason = _why_masked(Counter({name: 11}), 200)
        assert reason is not None
        assert "6 %" in reason
        assert _why_masked(Counter({name: 2}), 5) is None


def test_the_numbers_of_the_card(score: Score) -> None:
    scores = score(translations=3)
    plain = json.loads(json.dumps(scores.as_json()))
    assert [point["epsilon"] for point in plain["pgd"]] == list(EPSILONS)
    for point, correct in zip(plain["fgsm"], scores.fgsm, strict=True):
        assert point["correct"] == correct
        assert point["accuracy"] == correct / 60
        assert point["accuracy_interval_95"] == list(wilson_interval(correct, 60))


def test_a_step_is_a_hundredth_for_fifty_steps_and_less_for_small_epsilons() -> None:
    assert step_size(0.3, 50) == pytest.approx(0.01)
    assert step_size(0.04, 50) == pytest.approx(0.002)
    assert step_size(0.3, 20) == pytest.approx(0.025)
