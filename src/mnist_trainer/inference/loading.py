"""Load a trained network and its transforms from a run folder: ``load_run``."""

import dataclasses
import logging
from pathlib import Path
from typing import Any, get_args, get_type_hints

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import IMAGE_SIZE, DeviceSettings, RunConfig
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.inference.trained_model import CheckpointInfo
from mnist_trainer.inference.trained_run import TrainedRun
from mnist_trainer.models.build import build_model
from mnist_trainer.models.size_limit import SizeLimit
from mnist_trainer.runs.calibration import read_calibration
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.checksums import changed_files
from mnist_trainer.runs.lookup import Located, locate_checkpoint
from mnist_trainer.training.evaluation import VIEWS

log = logging.getLogger(__name__)

MOST_NUMBERS = 10_000_000
"""Numbers that the building of a network may make, besides twice those of its weights."""
PRECISIONS = get_args(get_type_hints(DeviceSettings)["precision"])


def load_run(
    run: str | Path,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    *,
    translations: int | None = None,
    precision: str | None = None,
) -> TrainedRun:
    """Load a trained network from its run folder; nothing in it is executed or changed.

    Args:
        run: a run folder such as ``outputs/latest``, ``latest``, or a checkpoint file.
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
    for change in changed_files(located.folder) if located.folder else ():
        log.warning("%s", change)
    state = _load(located)
    config = read_saved_config(located.checkpoint, state)
    selected = select_device(device_settings(config.device, device, precision))
    views = config.trainer.translations if translations is None else translations
    return _restore(located, state, config, selected, views)


def _restore(
    located: Located, state: dict[str, Any], config: RunConfig, device: Device, translations: int
) -> TrainedRun:
    names = _class_names(located.checkpoint, state)
    model, transforms, size = _rebuild(located.checkpoint, state["weights"], config, len(names))
    checkpoint = _checkpoint_info(located.checkpoint, state)
    return TrainedRun(
        model=model.to(device.torch_device).to(memory_format=device.memory_format).eval(),
        transforms=transforms,
        class_names=names,
        config=config,
        image_size=size,
        checkpoint=checkpoint,
        device=device,
        translations=translations,
        folder=located.folder,
        calibration=read_calibration(located.folder, checkpoint.sha256),
        note=located.note,
    )


def _checkpoint_info(path: Path, state: dict[str, Any]) -> CheckpointInfo:
    progress = state["progress"]
    return CheckpointInfo(
        path, progress["epoch"], progress["step"], weights_sha256(state["weights"])
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
    """Read the settings inside a checkpoint, and validate them as typed ones are.

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
        # How that run was watched and compared does not matter here, nor need a tracker of its own
        # be trusted.
        untracked = OmegaConf.load(config_dir() / "tracker" / "none.yaml")
        alone = {"tracker": untracked, "reproduce": None, "reproduce_seeds": 0}
        return read_config(OmegaConf.create({**state["config"], **alone}), choices)
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
    """The device settings of the run, on the requested device."""
    if asked not in ("auto", "cpu", "cuda", "mps"):
        raise ConfigError(f"device={asked}: must be one of: auto, cpu, cuda, mps")
    if precision is None:
        # A run on a GPU may have used what a CPU cannot do.
        precision = "auto" if saved.precision == "fp16" else saved.precision
    elif precision not in PRECISIONS:
        raise ConfigError(f"precision={precision}: must be one of: {', '.join(PRECISIONS)}")
    values: dict[str, Any] = {"type": asked, "precision": precision}
    return dataclasses.replace(saved, threads=None, graph="auto", **values)


def _rebuild(
    path: Path, weights: dict[str, Tensor], config: RunConfig, num_classes: int
) -> tuple[nn.Module, Transforms, int]:
    """Build the network with its weights, the fixed transforms, and the side of their output."""
    most = MOST_NUMBERS + 2 * sum(tensor.numel() for tensor in weights.values())
    try:
        # Initial weights are drawn, and overwritten: the caller's random numbers stay as they are.
        with SizeLimit(most), torch.random.fork_rng(devices=[]):
            transforms = build_transforms(config.transforms.fixed, ())
            blank = torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
            size = transforms.preprocess(blank).shape[-1]
            model = build_model(config.model, num_classes, size)
        model.load_state_dict(weights)
        for name, tensor in model.state_dict().items():
            if tensor.dtype != weights[name].dtype:
                raise TypeError(f"{name} is of the type {weights[name].dtype}")
    except ConfigError as error:
        raise CheckpointError(f"{path}: the network cannot be built anew: {error}") from error
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise CheckpointError(
            f"{path}: its weights do not fit the network that its settings describe: {reason}"
        ) from error
    return model, transforms, size
