"""A trained network, ready for use: ``load_run`` reads it from a run folder, with all that its
images go through."""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import IMAGE_SIZE, DeviceSettings, RunConfig
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.models.build import build_model
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.lookup import Located, locate_checkpoint
from mnist_trainer.training.evaluation import VIEWS, averaged_logits

if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)

PRECISIONS = get_args(get_type_hints(DeviceSettings)["precision"])


@dataclass(frozen=True)
class CheckpointInfo:
    """Which weights these are."""

    path: Path
    epoch: int
    """Epochs completed when they were saved."""
    step: int
    """Updates made by then."""
    sha256: str
    """Hash of the weights, as ``result.json`` gives it for those that were tested."""


@dataclass(frozen=True)
class Predictions:
    """What a network makes of some images."""

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
    note: str | None = None
    """What to tell of the choice of the checkpoint, where it is not the one that was asked for."""

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
        """
        checked = check_images(images)
        portions = [
            self._portion(portion) for portion in checked.split(self.config.trainer.eval_batch_size)
        ]
        return torch.cat(portions) if len(checked) else torch.empty(0, self.num_classes)

    def _portion(self, images: Tensor) -> Tensor:
        with torch.inference_mode(), self.device.autocast():
            logits = averaged_logits(self.model, self.prepare(images), self.translations)
        # A clone is an ordinary tensor: one made in inference mode could not take part in anything
        # that is trained.
        return logits.float().cpu().clone()

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
        probabilities = self.logits(images).softmax(dim=1)
        return Predictions(probabilities.argmax(dim=1), probabilities, self.class_names)


def load_run(
    run: str | Path,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    *,
    translations: int | None = None,
    precision: str | None = None,
) -> TrainedModel:
    """A trained network from its run folder; nothing in the folder is executed or changed.

    Args:
        run: a run folder such as ``outputs/latest``, or a checkpoint file.
        checkpoint: ``best``, ``last`` or a path; None is the one that the run itself has tested:
            the best, or the last where the run selects none.
        device: auto, cpu, cuda or mps.
        translations: shifted views of each image to average, 1, 3, 5 or 9; None does as the run's
            own test.
        precision: fp32, bf16 or fp16; None does as the run's own test, where the device can.

    Raises:
        ConfigError: there is no such run, or an argument is wrong.
        CheckpointError: the checkpoint is missing, damaged, or not what a run writes.
        MachineError: this machine has no such device.
    """
    if translations is not None and translations not in VIEWS:
        raise ConfigError(
            f"translations={translations}: must be one of: {', '.join(map(str, VIEWS))}"
        )
    located = locate_checkpoint(run, checkpoint)
    if located.note:
        log.warning("%s: %s.", located.folder, located.note)
    state = _load(located)
    config = read_saved_config(located.checkpoint, state)
    names = _class_names(located.checkpoint, state)
    place = select_device(device_settings(config.device, device, precision))
    model, transforms, size = _rebuild(located.checkpoint, state["weights"], config, len(names))
    model = model.to(place.torch_device).to(memory_format=place.memory_format).eval()
    progress = state["progress"]
    return TrainedModel(
        model=model,
        transforms=transforms,
        class_names=names,
        config=config,
        image_size=size,
        checkpoint=CheckpointInfo(
            located.checkpoint,
            progress["epoch"],
            progress["step"],
            weights_sha256(state["weights"]),
        ),
        device=place,
        translations=config.trainer.translations if translations is None else translations,
        folder=located.folder,
        note=located.note,
    )


def _load(located: Located) -> dict[str, Any]:
    try:
        return load_checkpoint(located.checkpoint)
    except CheckpointError as error:
        others = [
            path.name
            for path in sorted(located.checkpoint.parent.glob("*.pt"))
            if path.name != located.checkpoint.name
        ]
        if located.folder is None or not others:
            raise
        raise CheckpointError(
            f"{error}\nThis run has others: {', '.join(others)}. Name one with --checkpoint."
        ) from error


def read_saved_config(path: Path, state: dict[str, Any]) -> RunConfig:
    """The settings inside a checkpoint, held to the same rules as those that are typed.

    Raises:
        CheckpointError: they are not settings of this version, or name a class that is not
            admitted.
    """
    choices = state["choices"]
    if not isinstance(choices, dict) or not all(
        isinstance(text, str) for pair in choices.items() for text in pair
    ):
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its choices are not names."
        )
    try:
        return read_config(OmegaConf.create(state["config"]), choices)
    except ConfigError as error:
        raise CheckpointError(f"{path}: the settings inside it are refused: {error}") from error
    except (OmegaConfBaseException, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: the settings inside it cannot be read: {reason}") from error


def _class_names(path: Path, state: dict[str, Any]) -> tuple[str, ...]:
    names = state["class_names"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its class names are not names."
        )
    return tuple(names)


def device_settings(saved: DeviceSettings, asked: str, precision: str | None) -> DeviceSettings:
    """How the run computed, on the device that is asked for now."""
    if asked not in ("auto", "cpu", "cuda", "mps"):
        raise ConfigError(f"device={asked}: must be one of: auto, cpu, cuda, mps")
    if precision is None:
        # A run on a GPU may have used what a CPU cannot do.
        precision = "auto" if saved.precision == "fp16" else saved.precision
    elif precision not in PRECISIONS:
        raise ConfigError(f"precision={precision}: must be one of: {', '.join(PRECISIONS)}")
    return dataclasses.replace(saved, type=asked, precision=precision, threads=None, graph="auto")  # type: ignore[arg-type]


def _rebuild(
    path: Path, weights: dict[str, Tensor], config: RunConfig, num_classes: int
) -> tuple[nn.Module, Transforms, int]:
    """The network with its weights, the fixed transforms, and the side of the images that they
    leave."""
    try:
        transforms = build_transforms(config.fixed_transforms, ())
        size = int(
            transforms.preprocess(
                torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
            ).shape[-1]
        )
        model = build_model(config.model, num_classes, size)
        model.load_state_dict(weights)
    except ConfigError as error:
        raise CheckpointError(f"{path}: the network cannot be built anew: {error}") from error
    except (RuntimeError, IndexError, TypeError) as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise CheckpointError(
            f"{path}: its weights do not fit the network that its settings describe: {reason}"
        ) from error
    return model, transforms, size


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
