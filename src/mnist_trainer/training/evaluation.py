"""Exact evaluation: every image once, the last partial batch included."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.accumulators import BatchPredictions, make_accumulator

# Shifts in pixels, down and right, by the number of views.
VIEWS: dict[int, tuple[tuple[int, int], ...]] = {
    1: ((0, 0),),
    3: ((0, 0), (-1, -1), (1, 1)),
    5: ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)),
    9: tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)),
}


def evaluate(
    model: nn.Module,
    criterion: nn.Module,
    device: Device,
    images: Tensor,
    labels: Tensor,
    batch_size: int,
    translations: int = 1,
    record: "PredictionRecord | None" = None,
) -> Metrics:
    """Loss and accuracy of a model, in evaluation mode; the mode it came in is restored.

    Args:
        images: (N, 1, H, W), prepared, on the device.
        labels: (N,), on the device.
        batch_size: images in a forward pass; the result does not depend on it.
        translations: views of each image to average, a key of ``VIEWS``.
        record: takes down the answer to each image, of this same pass.
    """
    meter = make_accumulator(device.torch_device)
    was_training = model.training
    model.eval()
    # Nothing to do where there are fewer images than processes; split would give one portion
    # without any.
    portions = (
        zip(images.split(batch_size), labels.split(batch_size), strict=True) if len(labels) else ()
    )
    for batch, batch_labels in portions:
        with torch.inference_mode(), device.autocast():
            logits = averaged_logits(model, batch, translations)
            loss = criterion(logits, batch_labels)
            answers = BatchPredictions.of(logits, batch_labels)
            meter.add(loss, answers, len(batch_labels))
            if record is not None:
                record.add(logits, answers.predicted)
    model.train(was_training)
    return meter.read()


def averaged_logits(model: nn.Module, images: Tensor, translations: int) -> Tensor:
    """Logits (N, C) of images (N, 1, H, W); of several views the logarithm of their mean
    probability.

    A shifted view shows the outermost pixels twice where the image has none left.
    """
    if translations == 1:
        logits: Tensor = model(images)
        return logits
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    views = [
        padded[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for down, right in VIEWS[translations]
    ]
    probabilities = torch.stack([model(view).float().softmax(dim=1) for view in views]).mean(
        dim=0
    )  # (N, C)
    return probabilities.clamp(min=torch.finfo(torch.float32).tiny).log()


class PredictionRecord:
    """The answer to each image of a pass, kept on the device until somebody asks."""

    def __init__(self) -> None:
        self.predicted: list[Tensor] = []
        self.probability: list[Tensor] = []

    def add(self, logits: Tensor, predicted: Tensor) -> None:
        """Take down the answers to a batch.

        Args:
            logits: (N, C).
            predicted: (N,), the class of the largest logit, as in the accuracy: probabilities may
                be rounded to equals.
        """
        self.predicted.append(predicted)
        self.probability.append(
            logits.float().softmax(dim=1).gather(1, predicted.unsqueeze(1)).squeeze(1)
        )

    def share(self, world: World, count: int) -> None:
        """Put together what several processes have answered, each to its part of ``count`` images."""
        if world.size == 1:
            return
        answers = torch.zeros(
            2,
            count,
            dtype=torch.float64,
            device=self.predicted[0].device if self.predicted else None,
        )
        part = world.shard(count)
        if self.predicted:
            answers[0, part] = torch.cat(self.predicted).to(answers.dtype)
            answers[1, part] = torch.cat(self.probability).to(answers.dtype)
        world.all_reduce_sum(answers)
        self.predicted, self.probability = [answers[0].round().long()], [answers[1].float()]

    def read(self, labels: Tensor, class_names: tuple[str, ...]) -> Predictions:
        """The answers beside the labels (N,) of the images that the pass has seen; waits for the
        device."""
        return Predictions(
            torch.cat(self.predicted).cpu().numpy().astype(np.uint16),
            torch.cat(self.probability).cpu().numpy(),
            labels.cpu().numpy().astype(np.uint16),
            class_names,
        )
