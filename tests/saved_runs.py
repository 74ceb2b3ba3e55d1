"""Run folders for tests: what a run leaves behind, made in a moment and with weights that were
never trained."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import split
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.runs.checkpoint import Checkpoints
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import image_size, make_model, make_state

SMALL = (
    "device=cpu",
    "data.train_limit=64",
    "data.validation_limit=50",
    "data.test_limit=120",
    "tracker=none",
)


def save_run(
    config: RunConfig,
    path: Path,
    *,
    is_best: bool = False,
    change: Callable[[dict[str, Any]], None] | None = None,
) -> RunFolder:
    """A run folder with a checkpoint of one epoch.

    Args:
        change: what is to be wrong with the checkpoint.
    """
    torch.manual_seed(config.seed)
    folder = RunFolder(path)
    splits = split(load_dataset(config.data), config.data)
    size = image_size(splits, build_transforms(config.transforms.fixed, ()))
    device = select_device(config.device)
    model = make_model(config, splits.num_classes, size, device)
    state = make_state(config, model, 1, device)
    state.progress.epoch = 1
    saved = {
        **state.state_dict(),
        "weights": state.weights(),
        "config": dict(config.plain),
        "choices": dict(config.choices),
        "class_names": list(splits.class_names),
        "metrics_bytes": 0,
    }
    if change:
        change(saved)
    folder.path.mkdir(parents=True, exist_ok=True)
    Checkpoints(folder.checkpoints).save(saved, is_best=is_best)
    folder.config.write_text(config.yaml, encoding="utf-8")
    return folder
