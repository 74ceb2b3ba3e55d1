"""The evaluation of a trained network on one split of one data set."""

import dataclasses
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import OmegaConf
from torch import Tensor, nn

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import class_names_of, load_dataset
from mnist_trainer.data.split import split
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.scoring.metrics import ClassificationMetrics, Floats, Ints, score
from mnist_trainer.inference.scoring.qmnist import qmnist_parts
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.models.build import build_loss
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.metrics import Metrics, wilson_interval
from mnist_trainer.runs.result import read_result
from mnist_trainer.training.accumulators import MetricAccumulator, count_correct
from mnist_trainer.training.evaluation import VIEWS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationResult:
    """Predictions and metrics of a network on one split."""

    trained: TrainedModel
    data: str
    split: str
    class_names: tuple[str, ...]
    """Of the data that was looked at."""
    images: Tensor
    """uint8, (N, 1, 28, 28)."""
    labels: Ints
    """(N,)."""
    probabilities: Floats
    """(N, C)."""
    metrics: Metrics
    """As the run itself tests: same loss, same views."""
    scores: ClassificationMetrics
    by_views: dict[int, int]
    """Correct predictions by the number of shifted views that were averaged."""
    notes: tuple[str, ...]
    """Caveats for readers of the numbers."""

    def __repr__(self) -> str:
        low, high = wilson_interval(self.metrics.correct, self.metrics.count)
        return (
            f"{self.data}, {self.split}: accuracy {100 * self.accuracy:.2f} % (95 % interval"
            f" {100 * low:.2f} to {100 * high:.2f}, {self.metrics.count:,} images), loss"
            f" {self.metrics.loss:.4f}"
        )

    @property
    def accuracy(self) -> float:
        """Share of the images whose class was predicted, 0 to 1."""
        return self.metrics.accuracy

    def parts(self) -> dict[str, tuple[int, int]]:
        """Correct predictions and images of each part of the split that is told apart: of QMNIST's
        test images the known and the new ones, else none."""
        if (self.data, self.split) != ("qmnist", "test"):
            return {}
        correct = self.probabilities.argmax(axis=1) == self.labels
        parts = qmnist_parts(len(correct))
        return {name: (int(correct[part].sum()), len(part)) for name, part in parts.items()}

    def as_json(self) -> dict[str, Any]:
        """The content of evaluation.json."""
        scores, metrics, checkpoint = self.scores, self.metrics, self.trained.checkpoint
        return {
            "run": str(self.trained.folder) if self.trained.folder else None,
            "checkpoint": {
                "file": display_path(checkpoint.path),
                "epoch": checkpoint.epoch,
                "step": checkpoint.step,
                "weights_sha256": checkpoint.sha256,
            },
            "device": self.trained.device.type,
            "precision": self.trained.device.precision,
            "data": self.data,
            "split": self.split,
            "images": metrics.count,
            "correct": metrics.correct,
            "accuracy": metrics.accuracy,
            "accuracy_interval_95": list(wilson_interval(metrics.correct, metrics.count)),
            "parts": [_part_values(name, *each) for name, each in self.parts().items()],
            "loss": metrics.loss,
            "top2_accuracy": scores.top2 / scores.count,
            "expected_calibration_error": scores.calibration.error,
            "translations": self.trained.translations,
            "accuracy_by_translations": {
                str(views): correct / metrics.count for views, correct in self.by_views.items()
            },
            "classes": scores.by_class(self.class_names),
            "confusion_matrix": scores.confusion.tolist(),
            "calibration": scores.calibration.by_bin(),
            "notes": list(self.notes),
        }


def _part_values(name: str, correct: int, images: int) -> dict[str, Any]:
    """A part of a split, as it stands in evaluation.json."""
    return {
        "name": name,
        "images": images,
        "correct": correct,
        "accuracy": correct / images,
        "accuracy_interval_95": list(wilson_interval(correct, images)),
    }


def score_run(trained: TrainedModel, settings: DataSettings, part: str) -> EvaluationResult:
    """Evaluate on one split.

    Args:
        settings: the data set; the run's own, or another with as many classes.
        part: test, validation or train.

    Raises:
        ConfigError: the data do not fit the network, or the run has no such split.
        DataError: the data cannot be read.
    """
    class_names, images = load_split(trained, settings, part)
    logits = {
        views: dataclasses.replace(trained, translations=views).logits(images.images)
        for views in VIEWS
    }
    own = logits[trained.translations]
    # In double precision no two classes become equal that were not.
    probabilities = own.double().softmax(dim=1).numpy()
    metrics = measure(trained, own, images.labels)
    return EvaluationResult(
        trained=trained,
        data=settings.name,
        split=part,
        class_names=class_names,
        images=images.images,
        labels=images.labels.numpy(),
        probabilities=probabilities,
        metrics=metrics,
        scores=score(images.labels.numpy(), probabilities),
        by_views={views: int(count_correct(each, images.labels)) for views, each in logits.items()},
        notes=tuple(find_notes(trained, settings, part, class_names, metrics)),
    )


def load_split(
    trained: TrainedModel, settings: DataSettings, part: str
) -> tuple[tuple[str, ...], LabelledImages]:
    """Class names and images of a split.

    Raises:
        ConfigError: the data do not fit the network, or the run has no such split.
        DataError: the data cannot be read.
    """
    class_names = class_names_of(settings.name)
    # Before anything is downloaded for nothing.
    if len(class_names) != trained.num_classes:
        raise ConfigError(
            f"data={settings.name}: it has {len(class_names)} classes, and this network was"
            f" trained on {trained.config.data.name}, which has {trained.num_classes}. Name a data"
            f" set with {trained.num_classes} classes."
        )
    if part == "validation" and not settings.holds_out:
        raise ConfigError(
            "split=validation: this run held out no images (data.validation_size=0). Use test or"
            " train."
        )
    images: LabelledImages = getattr(split(load_dataset(settings), settings), part)
    return class_names, images


def measure(trained: TrainedModel, logits: Tensor, labels: Tensor) -> Metrics:
    """Loss and correct predictions of logits (N, C), summed in the batches of the run's test."""
    criterion = build_loss(trained.config.loss)
    meter = MetricAccumulator(logits.device)
    size = trained.config.trainer.eval_batch_size
    for portion, portion_labels in zip(logits.split(size), labels.split(size), strict=True):
        meter.add(
            criterion(portion, portion_labels),
            count_correct(portion, portion_labels),
            len(portion_labels),
        )
    return meter.read()


def find_notes(
    trained: TrainedModel,
    settings: DataSettings,
    part: str,
    class_names: tuple[str, ...],
    metrics: Metrics,
) -> list[str]:
    """Caveats for readers of the numbers."""
    notes = [trained.note] if trained.note else []
    if settings.name != trained.config.data.name:
        notes.append(
            f"the network was trained on {trained.config.data.name}; {settings.name} is another"
            " data set"
        )
        if class_names != trained.class_names:
            notes.append(
                "its classes are others too: they are matched by their numbers, so the accuracy"
                " says little"
            )
        return notes
    if part == "train":
        notes.append(
            "the network was trained on these images: this is no estimate of how it does on new"
            " ones"
        )
    if part == "test":
        notes += _comparison_with_own_test(trained, metrics)
    return notes


def _comparison_with_own_test(trained: TrainedModel, metrics: Metrics) -> list[str]:
    """How the metrics compare with those in the run's result.json, if those are of the same
    weights."""
    result = (read_result(trained.folder.result) if trained.folder else None) or {}
    saved = result.get("test") or {}
    is_other = result.get("weights_sha256") != trained.checkpoint.sha256
    if is_other or not saved.keys() >= {"correct", "images"}:
        return []
    if (saved["correct"], saved["images"]) == (metrics.correct, metrics.count):
        return ["the same as the run's own test, in result.json"]
    return [
        f"result.json has {saved['correct']:,} of {saved['images']:,} correct: other settings,"
        " device or precision"
    ]


def data_settings(trained: TrainedModel, name: str | None, root: str | None) -> DataSettings:
    """The settings of the data set to evaluate on: the run's own, or a shipped one by its name.

    A run may come from somebody else: where data are kept, and whom they are fetched from, is for
    the command line to say and not for the run.

    Args:
        root: folder of the data sets; None is the per-user cache.
    """
    own = trained.config.data
    if name is not None and name != own.name:
        plain: Any = OmegaConf.to_container(OmegaConf.load(config_dir() / "data" / f"{name}.yaml"))
        own = DataSettings(**{**plain, "download": own.download})
    if own.root not in (None, root) and own.name != "mnist":
        log.warning(
            "data.root=%s of the run is not used; to use it: --data-root %s", *[own.root] * 2
        )
    return dataclasses.replace(own, root=root, mirror=None)


def features(trained: TrainedModel, images: Tensor) -> Floats:
    """Penultimate features (N, F): the input of the last linear layer; else the logits."""
    layers = [layer for layer in trained.model.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        return dataclasses.replace(trained, translations=1).logits(images).numpy()
    seen: list[Tensor] = []
    # The hook is removed at once: the network stays as it is.
    hook = layers[-1].register_forward_pre_hook(
        lambda _, given: seen.append(given[0].float().cpu().clone())
    )
    try:
        dataclasses.replace(trained, translations=1).logits(images)
    finally:
        hook.remove()
    return np.concatenate([each.flatten(1).numpy() for each in seen])
