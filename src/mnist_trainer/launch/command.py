"""Resolve a command line: compose what was typed once, and check all of it.

No torch here: a mistake is answered before it is imported.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.launchers import refuse_launcher_without_sweep
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader, open_loader, typed_keys
from mnist_trainer.launch.options import CommandLine
from mnist_trainer.launch.overrides import check_groups, parse_overrides, refuse_empty
from mnist_trainer.launch.paired import is_paired
from mnist_trainer.launch.reproduce.original import (
    Originals,
    compose_original,
    find_originals,
    load_original,
)
from mnist_trainer.launch.seed_options import check_seed_options, require_named_recipes
from mnist_trainer.launch.sweep.job_axes import (
    SECONDARY_OVERRIDES,
    SweepJobs,
    check_sweeper,
    first_valid_config,
    gather_jobs,
)
from mnist_trainer.launch.sweep.sweep_file import KEY as SWEEP_FILE
from mnist_trainer.launch.sweep.sweep_file import SweepFile
from mnist_trainer.runs.folder import is_run_folder
from mnist_trainer.runs.resume import (
    Resumption,
    check_config_unchanged,
    find_run,
    load_saved_overrides,
)
from mnist_trainer.system.paths import user_path


@dataclass(frozen=True)
class ResolvedCommand:
    """A command line that can run: composed, and checked."""

    line: CommandLine
    loader: CheckedConfigLoader
    composed: DictConfig
    """Of the single run; of a sweep, of the first job found that is possible."""
    config: RunConfig
    """The settings in ``composed``."""
    overrides: list[Override]
    """As typed, each of one key; of a resumed run, after those that it was started with."""
    jobs: SweepJobs
    """What the jobs of a sweep differ in, and what they share."""
    multirun: bool
    resumption: Resumption | None
    """The run to resume, if one was named."""
    originals: Originals | None = None
    """The runs to compare with, if any were named; ``config`` is that of the first."""
    notes: tuple[str, ...] = ()
    """What of the original's settings is not taken over, or is no default any more."""

    @property
    def words(self) -> list[str]:
        """The overrides as words."""
        return [str(override.input_line) for override in self.overrides]

    @property
    def sweep_file(self) -> SweepFile | None:
        """The file that the sweep was read from, if any."""
        return self.jobs.file

    @property
    def fixed_keys(self) -> frozenset[str]:
        """Keys that were set, and are the same in every job of a sweep."""
        return frozenset(self.jobs.fixed)

    @property
    def launcher(self) -> str:
        """Class that runs the jobs of a sweep."""
        return str(self.composed.hydra.launcher._target_)

    def typed_folder(self, key: str) -> Path | None:
        """The folder that the user named by ``hydra.run.dir`` or ``hydra.sweep.dir``, if any.

        Raises:
            ConfigError: it cannot be a folder.
        """
        if all(override.key_or_group != key for override in self.overrides):
            return None
        # As composed: it may hold interpolations.
        try:
            value = str(OmegaConf.select(self.composed, key))
        except OmegaConfBaseException as error:
            raise ConfigError(f"{key}: {str(error).splitlines()[0]}") from error
        return user_path(value, f"{key}={value}")


def resolve_command(line: CommandLine, *, is_main_process: bool = True) -> ResolvedCommand:
    """Compose what was typed, and check all of it.

    Args:
        is_main_process: of several processes of a run, whether this one writes its files.

    Raises:
        ConfigError: names what is wrong, and the nearest thing that is right.
    """
    loader = open_loader(line)
    words = [word for word in line.overrides if not is_paired(word)]
    typed = parse_overrides(words, loader)
    if originals := find_originals(typed):
        return _checked(_resolve_reproduction(line, loader, typed, originals))
    resumption = _resumed_run(typed)
    saved = parse_overrides(resumption.overrides, loader) if resumption else []
    overrides = [*saved, *typed]
    multirun = line.multirun or _asks_for_multirun(overrides)
    _check_overrides(line, overrides, loader, multirun)
    started_with = [str(override.input_line) for override in saved]
    jobs = gather_jobs([*started_with, *line.overrides], typed, loader)
    overrides = [override for override in overrides if override.key_or_group != SWEEP_FILE]
    added = [] if is_main_process else [*SECONDARY_OVERRIDES]
    loader.typed_keys |= typed_keys(added)
    composed, config = first_valid_config(loader, jobs, added)
    if multirun:
        sweeper = str(composed.hydra.sweeper._target_)
        if line.plan is not None or line.until is not None:
            require_named_recipes(sweeper)
        check_sweeper(sweeper, config, overrides, jobs)
        if resumption:
            raise ConfigError(
                "resume= goes on with one run; -m starts many. Leave one of them out."
            )
    return _checked(
        ResolvedCommand(line, loader, composed, config, overrides, jobs, multirun, resumption)
    )


def _resolve_reproduction(
    line: CommandLine, loader: CheckedConfigLoader, typed: list[Override], originals: Originals
) -> ResolvedCommand:
    """Compose the settings of the first of the runs that are trained once more.

    Raises:
        UnjudgedError: they cannot be composed here.
        ConfigError: what is wrong with the words that were typed.
    """
    if line.multirun or _asks_for_multirun(typed):
        raise ConfigError("reproduce= trains runs once more, one after the other: leave out -m.")
    _check_overrides(line, typed, loader, multirun=False)
    keys = {str(override.key_or_group) for override in typed}
    saved, notes = load_original(originals.first, keys, loader)
    composed, config, changed = compose_original(loader, saved, typed, originals.first)
    overrides, jobs = [*saved, *typed], gather_jobs(line.overrides, typed, loader)
    command = ResolvedCommand(
        line, loader, composed, config, overrides, jobs, False, _resumed_run(typed)
    )
    return replace(command, originals=originals, notes=(*notes, *changed))


def _checked(command: ResolvedCommand) -> ResolvedCommand:
    """Check what composition does not: that a resumed run is the same one, and the places.

    Raises:
        CheckpointError: settings differ that must stay the same on resume.
        ConfigError: a place that cannot be one.
    """
    config, resumption = command.config, command.resumption
    if resumption and not config.resume_allow_changes:
        check_config_unchanged(resumption.folder, config.plain)
    command.typed_folder("hydra.sweep.dir" if command.multirun else "hydra.run.dir")
    if root := config.data.root:
        user_path(root, f"data.root={root}")
    return command


def _asks_for_multirun(overrides: Iterable[Override]) -> bool:
    modes = (o for o in overrides if o.key_or_group == "hydra.mode")
    return any(RunMode.MULTIRUN.name in str(override.value()) for override in modes)


def _check_overrides(
    line: CommandLine, overrides: Sequence[Override], loader: CheckedConfigLoader, multirun: bool
) -> None:
    """Raise ``ConfigError`` for overrides that are wrong whatever the configuration is."""
    swept = [override for override in overrides if override.is_sweep_override()]
    together = [word for word in line.overrides if is_paired(word)]
    if not multirun and (asked := [*(str(o.input_line) for o in swept), *together]):
        raise ConfigError(
            f"{asked[0]}: several values are a sweep; add -m:\n  mnist-train -m"
            f" {' '.join(line.overrides)}"
        )
    _check_sweep_file(line, overrides, multirun)
    _refuse_two_holdouts(overrides)
    check_groups(overrides, loader)
    refuse_empty(swept)
    check_seed_options(line.plan is not None, line.until is not None, overrides, multirun)
    if hidden := next((o for o in swept if str(o.key_or_group).startswith("hydra")), None):
        raise ConfigError(f"{hidden.input_line}: Hydra's own settings cannot be swept.")
    if not multirun and not line.inspects:
        refuse_launcher_without_sweep(line.overrides)
    if any(override.key_or_group == "hydra.sweep.subdir" for override in overrides):
        raise ConfigError(
            "hydra.sweep.subdir: a sweep names the folders of its jobs itself, so that it finds"
            " them again."
        )


def _check_sweep_file(line: CommandLine, overrides: Sequence[Override], multirun: bool) -> None:
    """Raise ``ConfigError`` for a sweep file where no jobs are started, and for several."""
    named = [o for o in overrides if o.key_or_group == SWEEP_FILE]
    if several := next((o for o in named if o.is_sweep_override()), None):
        raise ConfigError(
            f"{several.input_line}: one sweep file at a time. Blocks of jobs stand in one file,"
            " below blocks."
        )
    if not multirun and any(o.value() is not None for o in named):
        raise ConfigError(
            f"{named[0].input_line}: a sweep file starts many runs; add -m:\n  mnist-train -m"
            f" {' '.join(line.overrides)}"
        )


def _refuse_two_holdouts(overrides: Sequence[Override]) -> None:
    """Raise ``ConfigError`` where a fold and a number of validation images are both asked for."""
    keys = {str(o.key_or_group): o for o in overrides}
    size, folds = keys.get("data.validation_size"), keys.get("data.folds")
    if size and folds and folds.value() is not None:
        raise ConfigError(
            f"{size.input_line}: has no effect with {folds.input_line}, where the fold is held"
            " out. Leave one of the two out."
        )


def _resumed_run(typed: Sequence[Override]) -> Resumption | None:
    """The run that ``resume=`` names, if it does.

    Raises:
        ConfigError: there is no such run, or ``auto`` without saying where.
    """
    named: Any = next((o.value() for o in reversed(typed) if o.key_or_group == "resume"), None)
    if named is None:
        return None
    if named == "auto":
        folder = _last_path(typed, "hydra.run.dir")
        if folder is None:
            raise ConfigError("resume=auto needs to know where: add hydra.run.dir=PATH")
        folder = user_path(str(folder), f"hydra.run.dir={folder}")
        if not is_run_folder(folder) and not (folder / ".hydra" / "overrides.yaml").is_file():
            return None
        named = folder
    return load_saved_overrides(find_run(str(named)), {str(o.key_or_group) for o in typed})


def _last_path(overrides: Iterable[Override], key: str) -> Path | None:
    values = [override.value() for override in overrides if override.key_or_group == key]
    return Path(str(values[-1])) if values else None
