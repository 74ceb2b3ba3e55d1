"""Which images are looked at, and what is remembered of them."""

import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.training.clock import Clock
from mnist_trainer.training.scorer import Evaluator
from mnist_trainer.training.stages import EvaluationImages
from tests.conftest import Compose

CLASSES = tuple("0123456789")


class Watched(nn.Module):
    """A linear network that takes down how many images it is shown."""

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


def make_scorer(compose: Compose, held_out: int) -> Evaluator:
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


def test_an_epoch_is_scored_on_the_held_out_images_and_on_no_test_image(compose: Compose) -> None:
    scorer, model = make_scorer(compose, held_out=30), Watched()
    scores = scorer.score_epoch(model)
    assert scores.validation is not None
    assert (scores.validation.count, scores.test, model.seen) == (30, None, 30)


def test_without_held_out_images_the_curve_is_of_the_test_images(compose: Compose) -> None:
    scorer, model = make_scorer(compose, held_out=0), Watched()
    scores = scorer.score_epoch(model)
    assert scores.test is not None
    assert (scores.validation, scores.test.count, model.seen) == (None, 45, 45)
    assert scorer.score_validation(model) is None


def test_the_answers_remembered_are_those_of_the_last_look_and_of_the_score(
    compose: Compose,
) -> None:
    scorer, model = make_scorer(compose, held_out=30), Watched()
    scorer.score_test(Watched())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(-1)
    test = scorer.score_test(model)
    scorer.score_validation(model)
    predictions = scorer.read_predictions(CLASSES)
    logits = model(scorer.test.images)
    assert predictions.predicted.tolist() == logits.argmax(dim=1).tolist()
    assert predictions.truth.tolist() == scorer.test.labels.tolist()
    assert int(predictions.right.sum()) == test.correct
    assert abs(test.loss - nn.functional.cross_entropy(logits, scorer.test.labels).item()) < 1e-6
