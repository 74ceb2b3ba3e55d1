"""What a run is: its settings, data, layers and machine, for its folder and for the terminal."""

import logging
from dataclasses import asdict

from torch import nn

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.environment import describe_environment
from mnist_trainer.compute.source import source_patch
from mnist_trainer.compute.world import World
from mnist_trainer.config.engine_rules import BY_HAND
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.split import Splits
from mnist_trainer.models.summary import LayerSummary, count_parameters
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import atomic_write, write_json
from mnist_trainer.system.messages import counted
from mnist_trainer.training.tracking.terminal import Terminal

log = logging.getLogger(__name__)


def write_description(
    config: RunConfig,
    splits: Splits,
    layers: list[LayerSummary],
    device: Device,
    folder: RunFolder,
    world: World,
) -> None:
    """Write config.yaml (every setting, resolved), environment.json, layers.json, and code.patch
    where this package's own files differ from their revision; the main process alone does."""
    if not world.is_main_process:
        return
    with atomic_write(folder.config) as file:
        file.write(config.yaml.encode())
    write_json(folder.environment, describe_environment(device, splits.sha256, world.describe()))
    folder.patch.unlink(missing_ok=True)  # Of an earlier session.
    if patch := source_patch():
        with atomic_write(folder.patch) as file:
            file.write(patch)
    write_json(folder.layers, {"layers": [asdict(layer) for layer in layers]})


def settings_without_effect(config: RunConfig, num_validation: int, device: Device) -> list[str]:
    """Settings that were chosen, but change nothing in this run, each with the reason."""
    trainer, found = config.trainer, []
    if num_validation == 0:
        if trainer.patience is not None:
            found.append(f"trainer.patience={trainer.patience} (no validation images)")
        if trainer.monitor != "accuracy":
            found.append(f"trainer.monitor={trainer.monitor} (no validation images)")
    if config.data.num_workers > 0 and config.data.loader == "resident":
        found.append(f"data.num_workers={config.data.num_workers} (data.loader=resident)")
    if config.device.graph is True and device.type != "cuda":
        found.append(f"device.graph=true (only on CUDA, not on {device.type})")
    return found


def log_run_summary(
    config: RunConfig,
    splits: Splits,
    device: Device,
    model: nn.Module,
    layers: list[LayerSummary],
    terminal: Terminal,
    world: World,
) -> None:
    """Show what is going to be trained, on what."""
    held_out = f", {len(splits.validation):,} validation" if len(splits.validation) else ""
    if config.data.folds is not None:
        held_out += f" (fold {config.data.fold} of 0 to {config.data.folds - 1})"
    epochs = counted(config.trainer.epochs, "epoch")
    parameters = count_parameters(model)
    processes = f", {world.size} processes" if world.size > 1 else ""
    lines = [
        f"{config.label}: {parameters:,} parameters, {epochs}, seed {config.seed}",
        f"data    {config.data.name}: {len(splits.train):,} training{held_out},"
        f" {len(splits.test):,} test images",
        f"device  {device.type} ({device.name}), {device.precision}{processes}",
    ]
    if how := BY_HAND.get(config.trainer.engine):
        lines.append(f"engine  {config.trainer.engine}: {how}")
    if not len(splits.validation):
        lines.append("note    no images held out: the test images are scored after each epoch")
    if idle := settings_without_effect(config, len(splits.validation), device):
        lines.append(f"note    no effect in this run: {', '.join(idle)}")
    for line in lines:
        log.info(line)
    terminal.started(lines, layers)
