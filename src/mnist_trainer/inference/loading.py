"""Load a trained network and its transforms from a run folder: ``load_run``."""

import dataclasses
import logging
from pathlib import Path
from typing import Any, get_args, get_type_hints

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.config.settings import DeviceSettings, RunConfig
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.inference.trained_model import CheckpointInfo
from mnist_trainer.inference.trained_run import TrainedRun
from mnist_trainer.runs.calibration import read_calibration
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.checksums import changed_files
from mnist_trainer.runs.lookup import Located, locate_checkpoint
from mnist_trainer.training.evaluation import VIEWS
from mnist_trainer.training.saved_network import (
    read_class_names,
    read_saved_config,
    rebuild_network,
)

log = logging.getLogger(__name__)

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
    names = read_class_names(located.checkpoint, state)
    model, transforms, size = rebuild_network(
        located.checkpoint, state["weights"], config, len(names)
    )
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
