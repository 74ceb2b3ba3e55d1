"""Evaluation: every image once, averaged views, and which split is evaluated when."""

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.data.batches import EvaluationImages
from mnist_trainer.models.dense import FCN
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.evaluation import VIEWS, Evaluator, averaged_logits, evaluate
from tests.conftest import Compose


@pytest.fixture
def cpu(compose: Compose) -> Device:
    return select_device(compose("device=cpu").device)


def problem(count: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 1, 28, 28, generator=generator), torch.randint(
        0, 10, (count,), generator=generator
    )


@pytest.mark.parametrize("translations", VIEWS)
@pytest.mark.parametrize("batch_size", [1, 7, 50, 1000])
def test_every_image_counts_whatever_the_batch(
    batch_size: int, translations: int, cpu: Device
) -> None:
    model = FCN([32], "relu", 0.5, 10)  # dropout would show if evaluation forgot its mode
    images, labels = problem()
    metrics = evaluate(model, nn.CrossEntropyLoss(), cpu, images, labels, batch_size, translations)
    assert model.training
    model.eval()
    logits = averaged_logits(model, images, translations)
    assert metrics.count == 50
    assert metrics.correct == int((logits.argmax(1) == labels).sum())
    assert metrics.loss == pytest.approx(
        nn.functional.cross_entropy(logits, labels).item(), rel=1e-5
    )


def test_one_view_is_the_image() -> None:
    model, (images, _) = FCN([8], "relu", 0.0, 10), problem(3)
    assert torch.equal(averaged_logits(model, images, 1), model(images))


def test_several_views_are_the_mean_of_their_probabilities() -> None:
    model, (images, _) = FCN([8], "relu", 0.0, 10), problem(3)
    images[:, :, (0, -1)] = images[:, :, :, (0, -1)] = (
        0  # a background, so that rolling is shifting
    )
    expected = torch.stack(
        [model(images.roll((-down, -right), (2, 3))).softmax(1) for down, right in VIEWS[5]]
    ).mean(0)
    assert torch.allclose(averaged_logits(model, images, 5).softmax(1), expected, atol=1e-6)


def test_views_are_balanced() -> None:
    for count, shifts in VIEWS.items():
        assert len(set(shifts)) == count
        assert (sum(down for down, _ in shifts), sum(right for _, right in shifts)) == (0, 0)
        assert (0, 0) in shifts


CLASSES = tuple("0123456789")


class CountingModel(nn.Module):
    """A linear network that counts the images it sees."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.seen = 0

    def forward(self, images: Tensor) -> Tensor:
        self.seen += len(images)
        logits: Tensor = self.layers(images)
        return logits


def split_of(count: int, seed: int) -> EvaluationImages:
    generator = torch.Generator().manual_seed(seed)
    return EvaluationImages(
        torch.randn(count, 1, 28, 28, generator=generator),
        torch.randint(0, 10, (count,), generator=generator),
    )


def make_evaluator(compose: Compose, held_out: int) -> Evaluator:
    config = compose("device=cpu", "trainer.eval_batch_size=16")
    device = select_device(config.device)
    clock = Clock(device, 0.0)
    return Evaluator(
        config.trainer,
        device,
        nn.CrossEntropyLoss(),
        split_of(held_out, 1),
        split_of(45, 2),
        clock,
        SINGLE_WORLD,
    )


def test_an_epoch_is_evaluated_on_validation_images_alone(compose: Compose) -> None:
    evaluator, model = make_evaluator(compose, held_out=30), CountingModel()
    metrics = evaluator.evaluate_epoch(model)
    assert metrics.validation is not None
    assert (metrics.validation.count, metrics.test, model.seen) == (30, None, 30)


def test_without_validation_images_an_epoch_is_tested(compose: Compose) -> None:
    evaluator, model = make_evaluator(compose, held_out=0), CountingModel()
    metrics = evaluator.evaluate_epoch(model)
    assert metrics.test is not None
    assert (metrics.validation, metrics.test.count, model.seen) == (None, 45, 45)
    assert evaluator.evaluate_validation(model) is None


def test_kept_predictions_are_those_of_the_last_test(
    compose: Compose,
) -> None:
    evaluator, model = make_evaluator(compose, held_out=30), CountingModel()
    evaluator.evaluate_test(CountingModel())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-1)
    test = evaluator.evaluate_test(model)
    evaluator.evaluate_validation(model)
    predictions = evaluator.read_predictions(CLASSES)
    logits = model(evaluator.test.images)
    assert predictions.predicted.tolist() == logits.argmax(dim=1).tolist()
    assert predictions.truth.tolist() == evaluator.test.labels.tolist()
    assert int(predictions.right.sum()) == test.correct
    assert abs(test.loss - nn.functional.cross_entropy(logits, evaluator.test.labels).item()) < 1e-6
