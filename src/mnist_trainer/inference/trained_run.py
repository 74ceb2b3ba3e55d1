"""A trained network with all that its run left: ``load_run`` and ``train`` return one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.digit_images.prepare import Picture, digit_of_picture, is_picture
from mnist_trainer.inference.digit_images.segmentations import ClassifiedDigit, classify_digits
from mnist_trainer.inference.scoring.evaluation_result import (
    EvaluationResult,
    data_settings,
    score_run,
)
from mnist_trainer.inference.trained_model import Predictions, TrainedModel, check_images
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import by_epoch, read_records
from mnist_trainer.runs.result import read_result
from mnist_trainer.system.messages import nearest

if TYPE_CHECKING:
    import numpy as np

    Array = Tensor | np.ndarray[Any, Any]
    Images = Picture | Array | Sequence[Any]

SPLITS = ("test", "validation", "train")


@dataclass(frozen=True)
class TrainedRun(TrainedModel):
    """A trained network: predict, evaluate, and look up how it was trained."""

    def predict(self, images: "Images") -> Predictions:
        """The most probable class of each image, and the probabilities of all.

        Args:
            images: one of these, or a list of them. A file or an image of Pillow is prepared as
                ``mnist-predict`` does: a picture of one digit, of any size and colour. An array or
                tensor goes in as it is: (28, 28), (N, 28, 28) or (N, 1, 28, 28), uint8 0..255 or
                float 0..1, bright ink on dark ground.

        Raises:
            ConfigError: an array of another shape, type or range.
            DataError: a picture that cannot be used.
        """
        return self.predictions(self._logits_of(images))

    def predict_proba(self, images: "Images") -> "np.ndarray[Any, Any]":
        """The probability of each class, float32, (N, C); images as for ``predict``."""
        return self.predict(images).probabilities.numpy()

    def as_images(self, images: "Images") -> Tensor:
        """What the network is shown of what ``predict`` takes.

        Returns:
            (N, 1, 28, 28), uint8 or float32 from 0 to 1. Of a photograph, which is segmented in
            several ways, the segmentation that speaks most for the answer.
        """
        if is_picture(images):
            return check_images(self._classified(images).digit.image)  # type: ignore[arg-type]
        if isinstance(images, list | tuple) and any(map(is_picture, images)):
            return stacked([self.as_images(each) for each in images])
        return as_images(images)

    def _classified(self, picture: Picture) -> ClassifiedDigit:
        return classify_digits([digit_of_picture(picture, self.class_names)], self)[0]

    def _logits_of(self, images: "Images") -> Tensor:
        """Logits (N, C) of what ``predict`` takes."""
        if is_picture(images):
            return torch.from_numpy(self._classified(images).logits)[None]  # type: ignore[arg-type]
        if isinstance(images, list | tuple) and any(map(is_picture, images)):
            return torch.cat([self._logits_of(each) for each in images])
        return self.logits(as_images(images)).double()

    def evaluate(
        self, split: str = "test", *, data: str | None = None, data_root: str | Path | None = None
    ) -> EvaluationResult:
        """Evaluate on one split: the numbers of ``mnist-eval``, without its files.

        Args:
            split: test, validation or train.
            data: the name of another data set with as many classes; None is the run's own.
            data_root: folder of the data sets; None is the per-user cache.

        Raises:
            ConfigError: there is no such split, or the data do not fit the network.
            DataError: the data cannot be read.
        """
        if split not in SPLITS:
            raise ConfigError(
                f"split={split}: must be one of: {', '.join(SPLITS)}.{nearest(split, SPLITS)}"
            )
        root = None if data_root is None else str(data_root)
        return score_run(self, data_settings(self, data, root), split)

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row an epoch, such as ``pandas.DataFrame`` takes: ``epoch``, ``step``,
        ``train_loss``, ``train_accuracy``, ``validation_accuracy`` and so on.

        Raises:
            ConfigError: the checkpoint lies outside of a run folder.
            DataError: the metrics cannot be read.
        """
        records, _ = read_records(self._own_folder("history").metrics)
        return by_epoch(records)

    @cached_property
    def result(self) -> dict[str, Any]:
        """The content of ``result.json``: what the run came to, such as ``["test"]["accuracy"]``.
        Empty where the run has not finished."""
        return read_result(self._own_folder("result").result) or {}

    def _own_folder(self, asked: str) -> RunFolder:
        if self.folder is None:
            raise ConfigError(
                f"{asked}: {self.checkpoint.path} lies outside of a run folder, which would hold"
                " it. Load the run by its folder: load_run('outputs/latest')"
            )
        return self.folder

    def __repr__(self) -> str:
        place = str(self.folder or self.checkpoint.path)
        lines = [f"{super().__repr__()}, {self.config.data.name}", self._test_line(), place]
        return "\n  ".join(lines)

    def _test_line(self) -> str:
        test: Any = self.result.get("test") if self.folder else None
        try:
            low, high = (100 * each for each in test["accuracy_interval_95"])
            share, count = 100 * test["accuracy"], test["images"]
            return f"test {share:.2f} % (95 % interval {low:.2f} to {high:.2f}, {count:,} images)"
        except (KeyError, TypeError, ValueError):  # The run is not finished, or its file is odd.
            return "not tested"


def as_images(images: "Images") -> Tensor:
    """Arrays, tensors, or a list of them, as a tensor (N, 1, 28, 28), uint8 or float32 from 0 to
    1."""
    if not isinstance(images, list | tuple) or not any(hasattr(each, "shape") for each in images):
        return check_images(images)  # type: ignore[arg-type]
    return stacked([check_images(each) for each in images])


def stacked(prepared: list[Tensor]) -> Tensor:
    """Images of several tensors in one: float32 where any is."""
    if len({each.dtype for each in prepared}) > 1:
        prepared = [each if each.is_floating_point() else each / 255 for each in prepared]
    return torch.cat(prepared)
