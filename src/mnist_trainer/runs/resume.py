"""Going on with a run: which one, with which settings, and whether it still is the same run.

No torch here: a mistake is answered before it is imported.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.errors import CheckpointError, ConfigError, DataError, RefusedError
from mnist_trainer.runs.checksums import changed_files
from mnist_trainer.runs.config_hash import is_off
from mnist_trainer.runs.folder import (
    RunFolder,
    absolute_folder,
    display_path,
    is_run_folder,
)
from mnist_trainer.runs.latest import run_path
from mnist_trainer.runs.read import read_yaml
from mnist_trainer.runs.result import Status, read_result
from mnist_trainer.system.messages import counted

log = logging.getLogger(__name__)

# Keys that may change on resume: how long the run is and how it is watched, not what it learns.
MUTABLE_KEYS = (
    "trainer.epochs", "trainer.log_every", "trainer.checkpoint_every", "trainer.eval_batch_size",
    "trainer.patience", "trainer.film", "device.type", "device.threads", "device.channels_last",
    "device.deterministic", "device.graph", "tracker", "data.root", "data.download", "data.mirror",
    "data.num_workers", "name", "sweep", "sweep_file", "resume", "resume_allow_changes",
    "reproduce", "reproduce_seeds",
)  # fmt: skip
# Of these, the ones that change rounding; training/restore.py says so.
ROUNDING_KEYS = ("device.threads", "device.channels_last", "device.deterministic")


MAX_OVERRIDES = 64 * 1024
"""Bytes of overrides.yaml: Hydra takes a second for so many."""

FILE_SUFFIXES = (".json", ".jsonl", ".log", ".npz", ".yaml")

# A run folder may come from somebody else: where data are kept or fetched is typed anew.
PLACES = {"data.root", "data.mirror", "tracker.extra.uri", "reproduce"}
NOT_TAKEN_OVER = {"resume", "resume_allow_changes", *PLACES}


@dataclass(frozen=True)
class Resumption:
    """A run to go on with."""

    folder: RunFolder
    overrides: list[str]
    """Overrides that the run was started with, less those typed now."""
    ignored: list[str]
    """Overrides of that time that choose a place, and so are not taken over."""


def find_run(asked: str) -> RunFolder:
    """The run folder that ``resume=`` names: a path, or ``latest``.

    Raises:
        ConfigError: there is no run.
    """
    path = run_path(asked, f"resume={asked}")
    if path.name == "checkpoints" or path.suffix == ".pt":
        path = path.parent.parent if path.suffix == ".pt" else path.parent
    if not path.is_dir():
        raise ConfigError(
            f"resume={asked}: there is no folder {path}. Name a run's folder, or latest."
        )
    if not (path / ".hydra" / "overrides.yaml").is_file() and not is_run_folder(path):
        raise ConfigError(f"resume={asked}: {path} is not the folder of a run.")
    return RunFolder(absolute_folder(path, f"resume={asked}"))


def load_saved_overrides(folder: RunFolder, typed_keys: set[str]) -> Resumption:
    """The run with the words that it was started with.

    Args:
        typed_keys: what is set anew, and so no longer as it was.

    Raises:
        CheckpointError: the words of that time cannot be read.
        RefusedError: they hold settings of Hydra, which choose what runs and where it writes.
    """
    path = folder.path / ".hydra" / "overrides.yaml"
    _refuse_foreign_files(folder)
    for change in changed_files(folder):
        log.warning("%s", change)
    try:
        words = read_yaml(path, MAX_OVERRIDES)
    except DataError as error:
        raise CheckpointError(f"The settings of that run are not known: {error}") from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise CheckpointError(f"{path}: not a list of settings.")
    if hydra := next((word for word in words if _key(word) == "hydra"), None):
        raise RefusedError(
            f"{path}: {hydra} is none of the settings that a run is resumed with."
            "\nHydra's own settings are typed on the command line, or left out of that file."
        )
    kept = [word for word in words if _key(word) not in typed_keys | NOT_TAKEN_OVER]
    ignored = [word for word in words if _key(word) in PLACES - typed_keys]
    return Resumption(folder, kept, ignored)


def _refuse_foreign_files(folder: RunFolder) -> None:
    """Check that what a resumed run reads and writes are plain files in its own folder.

    A FIFO in place of a log is waited for without end; a link leads elsewhere what is written.

    Raises:
        CheckpointError: one is not.
    """
    for place in (folder.path, folder.path / ".hydra", folder.checkpoints):
        for path in sorted(place.glob("*")) if place.is_dir() else ():
            inside = Path(os.path.realpath(path)).is_relative_to(folder.path)
            may_be_folder = place == folder.path and path.suffix not in FILE_SUFFIXES
            plain = inside and (path.is_file() or (may_be_folder and path.is_dir()))
            # What is gone by now was a temporary file of a process that saves.
            if not plain and os.path.lexists(path):
                what = "not a file" if inside else "a link that leads out of the folder"
                raise CheckpointError(
                    f"{path}: {what}, and the settings of a run are taken only from a folder of"
                    " plain files. Replace it by a copy of what it stands for, or remove it."
                )


def _key(word: str) -> str:
    """The key of an override; ``hydra`` for each of Hydra's own."""
    key = word.lstrip("+~").partition("=")[0]
    return "hydra" if re.match(r"hydra\b", key) else key


def check_config_unchanged(folder: RunFolder, plain: Mapping[str, Any]) -> None:
    """Compare the settings with those that a run was started with.

    Raises:
        CheckpointError: settings differ that must stay the same on resume.
    """
    saved = saved_config(folder)
    if saved is None:
        return  # The run was stopped before its first checkpoint.
    differences = list(_differences(saved, dict(plain), ""))
    if differences:
        lines = [f"{key}: {old} -> {new}" for key, old, new in differences]
        more = [f"... and {len(lines) - 5} more"] if len(lines) > 5 else []
        shown = "\n".join([*lines[:5], *more])
        raise CheckpointError(
            f"resume={display_path(folder.path)}: this is not the run that was started:\n{shown}\n"
            "Start a new run without resume=, or insist: add resume_allow_changes=true to this"
            " command, and it goes on from the last checkpoint."
        )


def saved_config(folder: RunFolder) -> Any:
    """The settings of config.yaml; None where there is no such file.

    Raises:
        CheckpointError: it cannot be read.
    """
    if not folder.config.exists():
        return None
    try:
        return read_yaml(folder.config)
    except DataError as error:
        raise CheckpointError(str(error)) from error


def _differences(old: Any, new: Any, key: str) -> Iterator[tuple[str, Any, Any]]:
    if key and any(key == free or key.startswith(f"{free}.") for free in MUTABLE_KEYS):
        return
    if is_off(key, old) and is_off(key, new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key, old, new


def completed_message(folder: RunFolder, epochs: int) -> str | None:
    """What to say of a run that has nothing left to do; None where it has."""
    result = read_result(folder.result)
    if result is None or result.get("status") != Status.COMPLETED:
        return None
    try:
        done, accuracy = result["epochs"], 100 * result["test"]["accuracy"]
    except (KeyError, TypeError):
        return None  # Not a result that this package has written: the run decides.
    if done < epochs and not result.get("stopped_early"):
        return None
    return (
        f"{folder}: this run is finished: {counted(done, 'epoch')}, test accuracy {accuracy:.2f} %."
        f" Nothing was changed.\nTo train on: mnist-train resume={folder}"
        f" trainer.epochs={done + max(1, done // 2)}"
    )
