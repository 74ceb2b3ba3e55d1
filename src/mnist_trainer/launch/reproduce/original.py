"""The run that is trained once more: which one, and with which settings.

No torch here: a mistake is answered before it is imported.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import CheckpointError, ConfigError, UnjudgedError
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.guard import check_composed
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader
from mnist_trainer.launch.overrides import parse_overrides
from mnist_trainer.runs.config_hash import is_unhashed
from mnist_trainer.runs.folder import RunFolder, absolute_folder, display_path, is_run_folder
from mnist_trainer.runs.latest import run_path, runs_below
from mnist_trainer.runs.read import flatten
from mnist_trainer.runs.resume import load_saved_overrides, saved_config

log = logging.getLogger(__name__)

HOW = ("reproduce", "reproduce_seeds")


@dataclass(frozen=True)
class Originals:
    """The runs that ``reproduce=`` names: one, or the jobs of a sweep."""

    asked: Path
    folders: tuple[RunFolder, ...]

    @property
    def first(self) -> RunFolder:
        return self.folders[0]

    @property
    def is_sweep(self) -> bool:
        return self.folders[0].path != self.asked


def find_originals(typed: Sequence[Override]) -> Originals | None:
    """The runs that ``reproduce=`` names; None where it was not typed.

    Raises:
        ConfigError: there is no such run.
    """
    named: Any = next((o.value() for o in reversed(typed) if o.key_or_group == "reproduce"), None)
    if named is None:
        return None
    asked = f"reproduce={named}"
    path = run_path(str(named), asked)
    if path.is_dir() and is_run_folder(path):
        folder = RunFolder(absolute_folder(path, asked))
        return Originals(folder.path, (folder,))
    runs = [RunFolder(absolute_folder(run, asked)) for run in sorted(runs_below(path))]
    if not runs:
        problem = "no run lies in it" if path.is_dir() else "there is no such folder"
        raise ConfigError(f"{asked}: {problem}. Name the folder of a run or of a sweep, or latest.")
    return Originals(path, tuple(runs))


def load_original(
    folder: RunFolder, typed_keys: set[str], loader: ConfigLoader
) -> tuple[list[Override], list[str]]:
    """The words that a run was started with, less those typed now, and less its sweep's name.

    Returns:
        The words, and a sentence for each of them that is not taken over.

    Raises:
        UnjudgedError: they cannot be read, or are not those of the whole run.
    """
    try:
        saved, config = load_saved_overrides(folder, typed_keys), saved_config(folder)
        words = [word for word in saved.overrides if word.partition("=")[0] not in ("sweep", *HOW)]
        overrides = parse_overrides(words, loader)
    except (CheckpointError, ConfigError) as error:
        raise unjudged(folder, str(error)) from error
    if isinstance(config, dict) and config.get("resume_allow_changes") is True:
        raise unjudged(folder, "it was resumed with changed settings, so no one set made it.")
    notes = [f"{word} of that run is not used: type it again to use it" for word in saved.ignored]
    return overrides, notes


def as_saved(composed: DictConfig, folder: RunFolder, typed_keys: set[str]) -> list[str]:
    """Give settings whose defaults have changed since the values that the run had; modifies the
    configuration.

    Args:
        typed_keys: keys and groups that were typed now, which stay as they are.

    Returns:
        A sentence for each change.
    """
    config = saved_config(folder)
    if not isinstance(config, dict):
        raise unjudged(folder, "it has no config.yaml, so its settings are not known.")
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(composed, list(config)), resolve=True)
    now, notes = flatten(plain), []
    for key, value in flatten(config).items():
        parts = key.split(".")
        typed = any(".".join(parts[: n + 1]) in typed_keys for n in range(len(parts)))
        if typed or is_unhashed(key) or (key in now and now[key] == value):
            continue
        OmegaConf.update(composed, key, value, force_add=True)
        notes.append(f"{key}={value} as saved; the default is now {now.get(key)}")
    return notes


def compose_original(
    loader: CheckedConfigLoader,
    saved: Sequence[Override],
    typed: Sequence[Override],
    folder: RunFolder,
) -> tuple[DictConfig, RunConfig, list[str]]:
    """Compose the settings of a run as they were, with what was typed in their place.

    Returns:
        The configuration, the settings in it, and a sentence for each default that has changed.

    Raises:
        UnjudgedError: they cannot be composed here.
        ConfigError: what is wrong with the words that were typed.
    """
    try:
        return _composed(loader, [*saved, *typed], folder, typed)
    except ConfigError as error:
        try:
            _composed(loader, saved, folder, [])
        except ConfigError as problem:
            raise _missing_configuration(folder, problem) from problem
        raise error


def _composed(
    loader: CheckedConfigLoader,
    overrides: Sequence[Override],
    folder: RunFolder,
    typed: Sequence[Override],
) -> tuple[DictConfig, RunConfig, list[str]]:
    composed = loader.compose([str(override.input_line) for override in overrides])
    with open_dict(composed):
        notes = as_saved(composed, folder, {str(override.key_or_group) for override in typed})
        composed.reproduce = str(folder.path)
    check_composed(composed, {*loader.typed_keys, "reproduce"})
    return composed, read_composed(composed), notes


def unjudged(folder: RunFolder, reason: str) -> UnjudgedError:
    """The error of a run that cannot be reproduced."""
    return UnjudgedError(f"reproduce={display_path(folder.path)}: cannot be judged: {reason}")


def _missing_configuration(folder: RunFolder, problem: ConfigError) -> UnjudgedError:
    """The error where the settings of a run cannot be composed here, with what may be missing."""
    hint = ""
    if folder.config_files.is_dir():
        hint = (
            "\nIt was composed with configuration files of its user; copies are in its folder. If"
            " you trust them, add: --config-dir"
            f" {display_path(folder.config_files)}"
        )
    return unjudged(folder, f"its settings cannot be composed here:\n{problem}{hint}")
