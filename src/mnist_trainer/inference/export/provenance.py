"""Provenance of exported weights, for metadata and model cards."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import split
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.system.version import __version__

INPUT = (
    "uint8 (N, 28, 28), 0 to 255, bright ink on dark ground; scaling and normalisation are part of"
    " the network"
)
# Where files lie on the machine of the training is nobody's business elsewhere, and changes no
# weight.
PRIVATE_DATA_KEYS = ("root", "mirror")


@dataclass(frozen=True)
class Provenance:
    """The trained network and the test images of its data set."""

    trained: TrainedModel
    test_images: Tensor
    """uint8, (N, 1, 28, 28)."""
    test_labels: Tensor
    """int64, (N,)."""

    def count_correct(self, logits: NDArray[Any]) -> int:
        """Test images whose class the logits (N, C) predict correctly."""
        return int((logits.argmax(axis=1) == self.test_labels.numpy()).sum())

    def describe(self, correct: int) -> dict[str, str]:
        """Metadata as strings under fixed names.

        Args:
            correct: test images that the exported network classifies correctly.
        """
        trained, config, count = self.trained, self.trained.config, len(self.test_labels)
        low, high = wilson_interval(correct, count)
        return {
            "product": f"mnist-trainer {__version__}",
            "model": config.model.choice,
            "parameters": str(count_parameters(trained.model)),
            "data_set": config.data.name,
            "class_names": json.dumps(list(trained.class_names), ensure_ascii=False),
            "image_size": str(trained.image_size),
            "test_accuracy": f"{correct / count:.6f}",
            "test_accuracy_interval_95": f"{low:.6f} to {high:.6f}",
            "test_images": str(count),
            "epochs": str(trained.checkpoint.epoch),
            "steps": str(trained.checkpoint.step),
            "seed": str(config.seed),
            "checkpoint": trained.checkpoint.path.name,
            "weights_sha256": trained.checkpoint.sha256,
            "config_sha256": config_sha256(config.plain),
            "pytorch": str(torch.__version__),
        }


def find_provenance(trained: TrainedModel) -> Provenance:
    """The facts, and the test images of the run's own data set.

    Raises:
        DataError: the data set cannot be read.
    """
    test = split(load_dataset(trained.config.data), trained.config.data).test
    return Provenance(trained, test.images, test.labels)


def config_sha256(plain: Mapping[str, Any]) -> str:
    """Hash of all settings that are not about this machine's folders, in one canonical spelling."""
    data = {key: value for key, value in plain["data"].items() if key not in PRIVATE_DATA_KEYS}
    return hashlib.sha256(json.dumps({**plain, "data": data}, sort_keys=True).encode()).hexdigest()
