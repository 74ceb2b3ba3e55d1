"""A trained network with the transforms of its run: images in, logits and predictions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.config.settings import IMAGE_SIZE, RunConfig
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.runs.calibration import Calibration
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.messages import counted
from mnist_trainer.training.evaluation import averaged_logits

if TYPE_CHECKING:
    import numpy as np


MAX_LOGIT = 1e30
"""Beyond it the loss of a batch, a sum of their differences, is not finite in 32 bits."""


@dataclass(frozen=True)
class CheckpointInfo:
    """The checkpoint that the weights were read from."""

    path: Path
    epoch: int
    """Epochs completed when they were saved."""
    step: int
    """Updates made by then."""
    sha256: str
    """Hash of the weights, as ``result.json`` gives it for those that were tested."""


@dataclass(frozen=True)
class Predictions:
    """Predicted classes of a batch of images."""

    classes: Tensor
    """int64, (N,), on the CPU: the most probable class of each."""
    probabilities: Tensor
    """float32, (N, C), on the CPU; each row sums to 1."""
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> list[str]:
        """The names of ``classes``."""
        return [self.class_names[index] for index in self.classes.tolist()]

    def __repr__(self) -> str:
        first = ", ".join(f"{row[0][0]} ({100 * row[0][1]:.1f} %)" for row in self[:10].top(1))
        return f"{counted(len(self), 'image')}: {first}{', ...' if len(self) > 10 else ''}"

    def __getitem__(self, images: slice) -> "Predictions":
        return Predictions(self.classes[images], self.probabilities[images], self.class_names)

    def top(self, count: int) -> list[list[tuple[str, float]]]:
        """For each image the ``count`` most probable classes: name and probability, the most
        probable first.

        Raises:
            ConfigError: ``count`` is not a whole number of 1 or more.
        """
        if not isinstance(count, int) or count < 1:
            raise ConfigError(f"count={count}: must be a whole number of 1 or more.")
        probabilities, classes = self.probabilities.topk(min(count, len(self.class_names)), dim=1)
        return [
            [(self.class_names[index], share) for index, share in zip(row, shares, strict=True)]
            for row, shares in zip(classes.tolist(), probabilities.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class TrainedModel:
    """A network in evaluation mode, with the transforms that its images go through."""

    model: nn.Module
    """Prepared images (N, 1, image_size, image_size) to logits (N, C)."""
    transforms: Transforms
    """The fixed ones of the run; none is random."""
    class_names: tuple[str, ...]
    config: RunConfig
    image_size: int
    """Side of the images that the network sees, in pixels: 28, or less where the run crops."""
    checkpoint: CheckpointInfo
    device: Device
    translations: int
    """Shifted views of an image that are averaged, a key of ``evaluation.VIEWS``; 1 is the image
    alone."""
    folder: RunFolder | None
    """The run's folder; None for a checkpoint that lies outside of one."""
    calibration: Calibration
    """The temperature of ``probabilities``, and when an answer is unsure."""
    note: str | None = None
    """What to tell of the choice of the checkpoint, where it is not the one that was asked for."""

    def __repr__(self) -> str:
        config, parameters = self.config, count_parameters(self.model)
        return (
            f"{config.model.choice} with {config.optimizer.choice}: {parameters:,} parameters,"
            f" weights of epoch {self.checkpoint.epoch}"
        )

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def logits(self, images: "Tensor | np.ndarray[Any, Any]") -> Tensor:
        """Logits, float32, (N, C), on the CPU. With several views they are logarithms of the mean
        probability.

        Args:
            images: uint8 0..255 or float 0..1, bright ink on dark ground, (N, 28, 28), (N, 1, 28,
                28) or one (28, 28).

        Raises:
            ConfigError: another shape, type or range.
            CheckpointError: the weights are so large that logits overflow.
        """
        checked = check_images(images)
        batches = [
            self._batch_logits(batch)
            for batch in checked.split(self.config.trainer.eval_batch_size)
        ]
        return torch.cat(batches) if len(checked) else torch.empty(0, self.num_classes)

    def probabilities(self, images: "Tensor | np.ndarray[Any, Any]") -> Tensor:
        """The probability of each class, calibrated where the run is: float64, (N, C), on the CPU.

        Args:
            images: as for ``logits``.

        Raises:
            ConfigError: another shape, type or range.
            CheckpointError: the weights are so large that logits overflow.
        """
        return self.calibrated(self.logits(images))

    def calibrated(self, logits: Tensor) -> Tensor:
        """Calibrated probabilities of logits (N, C): float64, of the same shape."""
        return (logits.double() / self.calibration.temperature).softmax(dim=1)

    def _batch_logits(self, images: Tensor) -> Tensor:
        with torch.inference_mode(), self.device.autocast():
            logits = averaged_logits(self._finite_logits, self.prepare(images), self.translations)
        # A clone is an ordinary tensor: one made in inference mode could not take part in anything
        # that is trained.
        return logits.float().cpu().clone()

    def _finite_logits(self, images: Tensor) -> Tensor:
        """Logits of prepared images.

        Raises:
            CheckpointError: some are not finite, or so large that their loss would not be.
        """
        logits: Tensor = self.model(images)
        if bool((logits.abs() <= MAX_LOGIT).all()):
            return logits
        name, largest = max(
            ((name, float(tensor.abs().max())) for name, tensor in self.model.state_dict().items()),
            key=lambda each: each[1],
        )
        raise CheckpointError(
            f"{self.checkpoint.path}: its weights are finite, but the logits that they give"
            f" overflow in {self.device.precision}. The largest weight, {largest:.3g}, is"
            f" in {name}.\nUse another checkpoint of the run, or train it anew."
        )

    def prepare(self, images: Tensor) -> Tensor:
        """Checked images (N, 1, 28, 28) as the network sees them: float32, (N, 1, image_size,
        image_size), on the device."""
        placed = images.to(self.device.torch_device)
        prepared = (
            self.transforms.preprocess(placed)
            if placed.dtype == torch.uint8
            else self.transforms.apply_fixed(placed)
        )
        return prepared.contiguous(memory_format=self.device.memory_format)

    def predict(self, images: "Tensor | np.ndarray[Any, Any]") -> Predictions:
        """The most probable class of each image, and the probabilities of all.

        Args:
            images: as for ``logits``.

        Raises:
            ConfigError: another shape, type or range.
        """
        return self.predictions(self.logits(images))

    def predictions(self, logits: Tensor) -> Predictions:
        """Predictions from logits (N, C)."""
        probabilities = self.calibrated(logits).float()
        return Predictions(probabilities.argmax(dim=1), probabilities, self.class_names)


def as_tensor(images: Any) -> Tensor:
    """An array, a tensor or nested lists as a tensor without gradient: what torch cannot share
    memory with is copied.

    Raises:
        TypeError, ValueError or RuntimeError: they are none of these, or of a type that torch does
            not have.
    """
    if isinstance(images, Tensor):
        return images.detach()
    if hasattr(images, "__array_interface__"):
        import numpy as np

        array = np.asarray(images)
        # Flipped ones have negative strides; those of a Pillow image may not be written to.
        if not (array.flags.c_contiguous and array.flags.writeable and array.dtype.isnative):
            array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
        return torch.from_numpy(array)
    return torch.as_tensor(images)


def check_images(images: "Tensor | np.ndarray[Any, Any] | Sequence[Any]") -> Tensor:
    """Images as a tensor (N, 1, 28, 28), uint8, or float32 from 0 to 1.

    Raises:
        ConfigError: another shape, type or range.
    """
    try:
        tensor = as_tensor(images)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"images: {type(images).__name__} cannot be read as an array: {error}"
        ) from error
    shape = tuple(tensor.shape)
    if tensor.ndim == 2:
        tensor = tensor[None]
    if tensor.ndim == 3:
        tensor = tensor[:, None]
    if tensor.ndim != 4 or tensor.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE):
        raise ConfigError(
            f"images: shape {shape}; must be (N, 28, 28), (N, 1, 28, 28) or (28, 28)."
        )
    if tensor.dtype == torch.uint8:
        return tensor
    if not tensor.is_floating_point():
        raise ConfigError(
            f"images: type {tensor.dtype}; must be uint8 from 0 to 255, or floating point from 0"
            " to 1."
        )
    tensor = tensor.to(torch.float32)
    if len(tensor) and not (float(tensor.min()) >= 0 and float(tensor.max()) <= 1):
        low, high = float(tensor.min()), float(tensor.max())
        raise ConfigError(
            f"images: floating point from {low:g} to {high:g}; must be from 0 to 1. Pixels 0 to 255"
            " go in as uint8."
        )
    return tensor
