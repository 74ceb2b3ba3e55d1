"""Restore a run from its newest valid checkpoint."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import CheckpointError, DataError, DivergedError
from mnist_trainer.runs.checkpoint import Checkpoints, load_checkpoint
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.read import flatten, read_json
from mnist_trainer.runs.resume import ROUNDING_KEYS, saved_config
from mnist_trainer.system.files import sweep_temporaries
from mnist_trainer.training.saved_state import misfit
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
    steps_per_epoch: int,
    device: Device,
    world: World = SINGLE_WORLD,
) -> ResumePoint:
    """Load the newest valid checkpoint into the state of a run that is resumed; start at step 0 if
    there is none.

    Raises:
        CheckpointError: there are checkpoints, but none that can be used.
    """
    if not config.resume:
        return FRESH_START
    loaded: dict[str, Any] = {}
    found = world.broadcast_from_main(lambda: load_newest(checkpoints, folder, loaded))
    if not found:
        log.warning("%s: no checkpoint was written yet, so the run begins anew.", folder)
        return FRESH_START
    path = Path(found)
    saved = loaded or load_checkpoint(path)  # Other processes than the main one read it here.
    changed = changed_options(saved["config"], config)
    if problem := misfit(state, saved, steps_per_epoch):
        raise CheckpointError(f"{path}: does not fit this run: {problem}.")
    state.load_state_dict(saved, changed)
    for change in describe_changes(folder, config, device):
        log.warning("Going on with other settings: %s", change)
    step, seconds = state.progress.step, saved.get("seconds", {})
    log.info("Going on from %s, step %d", path, step)
    return ResumePoint(f"{path.name}, step {step}", step, int(saved["metrics_bytes"]), seconds)


def load_newest(checkpoints: Checkpoints, folder: RunFolder, loaded: dict[str, Any]) -> str:
    """Load the newest valid checkpoint into ``loaded``; return its path, empty if there is none."""
    for path in (folder.path, checkpoints.folder):
        sweep_temporaries(path)
    newest = checkpoints.newest()
    if newest is None:
        return ""
    loaded.update(newest[0])
    return str(newest[1])


def describe_changes(folder: RunFolder, config: RunConfig, device: Device) -> Iterator[str]:
    """What may change on resume and yet changes numbers: the device and how it rounds, and the
    length of the run where the learning rate follows it."""
    try:
        then = read_json(folder.environment)["device"]
        before = f"{then['type']} in {then['precision']}"
    except (DataError, TypeError, KeyError):
        before = now = ""
    else:
        now = f"{device.type} in {device.precision}"
    if before != now:
        yield f"this run computed on {before} so far, and on {now} from here on."
    then = saved_config(folder)
    saved = flatten(then) if isinstance(then, dict) else {}
    plain = flatten(config.plain)
    for key in ROUNDING_KEYS:
        old, new = saved.get(key), plain.get(key)
        if old != new:
            yield f"{key} was {old}, and is {new}: sums are rounded in another order."
    old, new = saved.get("trainer.epochs"), plain.get("trainer.epochs")
    if old != new and not config.scheduler.target.endswith((".Constant", ".Step")):
        yield (
            f"trainer.epochs was {old}, and is {new}: the learning rates of"
            f" {config.scheduler.choice} depend on it."
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


@contextmanager
def divergence_explained(config: RunConfig, folder: RunFolder, world: World) -> Iterator[None]:
    """Add to a ``DivergedError`` the command that goes on from the last good checkpoint."""
    try:
        yield
    except DivergedError as error:
        if not (folder.checkpoints / "last.pt").exists():
            raise
        rate = config.optimizer.options.get("lr")
        change = f"optimizer.lr={rate / 10:g}" if isinstance(rate, int | float) else "KEY=VALUE"
        raise DivergedError(
            f"{error}\nGo on from it with: {world.command} resume={folder}"
            f" trainer.epochs={config.trainer.epochs} {change} resume_allow_changes=true"
        ) from error
