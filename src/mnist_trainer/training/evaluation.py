"""Exact evaluation: every image once, the last partial batch included."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import TrainerSettings
from mnist_trainer.data.batches import EvaluationImages
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.clock import Clock

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
    """Loss and accuracy of a model in evaluation mode; its own mode is restored afterwards.

    Args:
        images: (N, 1, H, W), preprocessed, on the device.
        labels: (N,), on the device.
        batch_size: images in a forward pass; the result does not depend on it.
        translations: views of each image to average, a key of ``VIEWS``.
        record: collects the prediction for each image, of this same pass.
    """
    accumulator = MetricAccumulator(device.torch_device)
    was_training = model.training
    model.eval()
    # Of no images ``split`` would make one empty batch: where there are fewer than processes.
    batches = (
        zip(images.split(batch_size), labels.split(batch_size), strict=True) if len(labels) else ()
    )
    for batch, batch_labels in batches:
        with torch.inference_mode(), device.autocast():
            logits = averaged_logits(model, batch, translations)
            loss = criterion(logits, batch_labels)
            predicted = logits.argmax(dim=1)
            accumulator.add(loss, (predicted == batch_labels).sum(), len(batch_labels))
            if record is not None:
                record.add(logits, predicted)
    model.train(was_training)
    return accumulator.read()


def averaged_logits(model: Callable[[Tensor], Tensor], images: Tensor, translations: int) -> Tensor:
    """Logits (N, C) of images (N, 1, H, W); of several views the log of their mean probability.

    Shifted views are padded by replication.
    """
    if translations == 1:
        return model(images)
    height, width = images.shape[-2:]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    views = [
        padded[..., 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for down, right in VIEWS[translations]
    ]
    by_view = torch.stack([model(view).float().softmax(dim=1) for view in views])
    probabilities = by_view.mean(dim=0)  # (N, C)
    return probabilities.clamp(min=torch.finfo(torch.float32).tiny).log()


class PredictionRecord:
    """The prediction for each image of a pass, kept on the device until it is read."""

    def __init__(self) -> None:
        self.predicted: list[Tensor] = []
        self.probability: list[Tensor] = []

    def add(self, logits: Tensor, predicted: Tensor) -> None:
        """Add a batch.

        Args:
            logits: (N, C).
            predicted: (N,), the class of the largest logit, as the accuracy counts it:
                probabilities may be rounded to equals.
        """
        self.predicted.append(predicted)
        self.probability.append(
            logits.float().softmax(dim=1).gather(1, predicted.unsqueeze(1)).squeeze(1)
        )

    def all_gather(self, world: World, count: int) -> None:
        """Gather the predictions of all processes, each of its shard of ``count`` images."""
        if world.size == 1:
            return
        device = self.predicted[0].device if self.predicted else None
        gathered = torch.zeros(2, count, dtype=torch.float64, device=device)
        shard = world.shard(count)
        if self.predicted:
            gathered[0, shard] = torch.cat(self.predicted).to(gathered.dtype)
            gathered[1, shard] = torch.cat(self.probability).to(gathered.dtype)
        world.all_reduce_sum(gathered)
        self.predicted, self.probability = [gathered[0].round().long()], [gathered[1].float()]

    def read(self, labels: Tensor, class_names: tuple[str, ...]) -> Predictions:
        """The predictions beside the labels (N,) of their images; waits for the device."""
        return Predictions(
            torch.cat(self.predicted).cpu().numpy().astype(np.uint16),
            torch.cat(self.probability).cpu().numpy(),
            labels.cpu().numpy().astype(np.uint16),
            class_names,
        )


@dataclass(frozen=True)
class EvalMetrics:
    """Metrics at the end of an epoch; None for a split that was not evaluated."""

    validation: Metrics | None
    test: Metrics | None


@dataclass
class Evaluator:
    """Evaluates the validation and the test images; each of several processes its shard."""

    settings: TrainerSettings
    device: Device
    criterion: nn.Module
    validation: EvaluationImages
    """Empty where nothing is held out."""
    test: EvaluationImages
    clock: Clock
    world: World
    records: dict[str, PredictionRecord] = field(default_factory=dict)
    """Split to the predictions of its last pass that kept any, of all processes."""

    def evaluate_epoch(self, model: nn.Module, *, keep: bool = False) -> EvalMetrics:
        """Evaluate the validation images; without any, the test images, for the curve.

        Args:
            keep: keep the prediction for each validation image.
        """
        validation = self.evaluate_validation(model, keep=keep)
        return EvalMetrics(validation, None if validation else self.evaluate_test(model))

    def evaluate_validation(self, model: nn.Module, *, keep: bool = False) -> Metrics | None:
        """Evaluate the validation images; None where there are none."""
        return self._evaluate(model, "validation", keep=keep) if len(self.validation) else None

    def evaluate_test(self, model: nn.Module) -> Metrics:
        """Evaluate the test images, and keep the prediction for each."""
        return self._evaluate(model, "test", keep=True)

    def images_of(self, split: str) -> EvaluationImages:
        """The images of ``validation`` or ``test``."""
        return self.validation if split == "validation" else self.test

    def _evaluate(self, model: nn.Module, name: str, *, keep: bool) -> Metrics:
        split, record = self.images_of(name), PredictionRecord() if keep else None
        shard = self.world.shard(len(split))
        with self.clock.measure("eval"):
            metrics = evaluate(
                model,
                self.criterion,
                self.device,
                split.images[shard],
                split.labels[shard],
                self.settings.eval_batch_size,
                self.settings.translations,
                record,
            )
            metrics = self.world.reduce_metrics(metrics)
        if record is not None:
            record.all_gather(self.world, len(split))
            self.records[name] = record
        return metrics

    def read_predictions(self, class_names: tuple[str, ...], split: str = "test") -> Predictions:
        """The predictions for all images of a split, of its last pass that kept them."""
        return self.records[split].read(self.images_of(split).labels, class_names)
