"""Evaluation: every image, whatever the batch; views averaged as they are said to be."""

import pytest
import torch
from torch import nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.models.dense import FCN
from mnist_trainer.training.evaluation import VIEWS, averaged_logits, evaluate
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
