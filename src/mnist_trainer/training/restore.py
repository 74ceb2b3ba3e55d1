"""Restore a run from its newest valid checkpoint."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import CheckpointError
from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import sweep_temporaries
from mnist_trainer.training.state import TrainingState

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResumePoint:
    """The point at which a session of a run begins."""

    checkpoint: str | None
    """Name and step of the checkpoint that was restored."""
    step: int | None
    metrics_bytes: int
    """Bytes of metrics.jsonl that were written before that checkpoint."""
    seconds: Mapping[str, float]
    """Time of earlier sessions, by purpose."""


FRESH_START = ResumePoint(checkpoint=None, step=None, metrics_bytes=0, seconds={})


def restore_checkpoint(
    checkpoints: Checkpoints,
    state: TrainingState,
    folder: RunFolder,
    config: RunConfig,
    world: World = SINGLE_WORLD,
) -> ResumePoint:
    """Load the newest valid checkpoint into the state; start at step 0 if there is none.

    Raises:
        CheckpointError: there are checkpoints, but none that can be used.
    """
    loaded: dict[str, Any] = {}

    def newest_checkpoint() -> str:
        for path in (folder.path, checkpoints.folder):
            sweep_temporaries(path)
        newest = checkpoints.newest()
        if newest is None:
            return ""
        loaded.update(newest[0])
        return str(newest[1])

    found = world.broadcast_from_main(newest_checkpoint)
    if not found:
        log.warning(
            "%s: no checkpoint was written yet, so the run starts from the beginning.", folder
        )
        return FRESH_START
    path = Path(found)
    saved = loaded or load_checkpoint(path)  # Other processes than the main one read it here.
    state.load_state_dict(saved, changed_options(saved["config"], config))
    step = state.progress.step
    log.info("Going on from %s, step %d", path, step)
    return ResumePoint(
        f"{path.name}, step {step}", step, int(saved["metrics_bytes"]), saved.get("seconds", {})
    )


def changed_options(saved: Mapping[str, Any], config: RunConfig) -> set[str]:
    """Options of the optimizer that differ from those in a checkpoint's configuration.

    Raises:
        CheckpointError: it was another optimizer.
    """
    then, now = saved.get("optimizer"), config.plain["optimizer"]
    if not isinstance(then, dict) or then.get("_target_") != now["_target_"]:
        was = then.get("_target_") if isinstance(then, dict) else "no optimizer"
        raise CheckpointError(
            f"optimizer._target_={now['_target_']}: the checkpoint holds the state of {was}, from"
            " which another optimizer cannot go on.\nStart a new run without resume=, or leave the"
            " optimizer as it was."
        )
    return {option for option in now if option not in then or now[option] != then[option]}
