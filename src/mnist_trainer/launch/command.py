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
from mnist_trainer.errors import ConfigError, RefusedError
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.launchers import (
    BASIC_SWEEPER,
    refuse_launcher_without_sweep,
    require_extras,
)
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader, open_loader, typed_keys
from mnist_trainer.launch.options import CommandLine
from mnist_trainer.launch.overrides import check_groups, each_value, parse_overrides, refuse_empty
from mnist_trainer.launch.reproduce.original import (
    Originals,
    compose_original,
    find_originals,
    load_original,
)
from mnist_trainer.launch.seed_options import PLAN, UNTIL, check_seed_options
from mnist_trainer.runs.folder import is_run_folder
from mnist_trainer.runs.resume import (
    Resumption,
    check_config_unchanged,
    find_run,
    load_saved_overrides,
)
from mnist_trainer.system.paths import user_path

# Combinations of a sweep that are tried before the first mistake is reported.
MAX_TRIED = 6
# What one of several processes leaves to the main one: to write the log and Hydra's files.
SECONDARY_OVERRIDES = ("hydra.output_subdir=null", "hydra/job_logging=errors_only")
WRITTEN_BY_MAIN = ("hydra.output_subdir=", "hydra/job_logging=", "hydra.job_logging")


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
    """As typed; of a resumed run, after those that it was started with."""
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
    def swept(self) -> list[Override]:
        """Overrides with several values."""
        return [override for override in self.overrides if override.is_sweep_override()]

    @property
    def fixed_keys(self) -> frozenset[str]:
        """Keys that were set, and are the same in every job of a sweep."""
        fixed = (o for o in self.overrides if not o.is_sweep_override())
        return frozenset(str(override.key_or_group) for override in fixed)

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
    typed = parse_overrides(line.overrides, loader)
    if originals := find_originals(typed):
        return _checked(_resolve_reproduction(line, loader, typed, originals))
    resumption = _resumed_run(typed)
    saved = parse_overrides(resumption.overrides, loader) if resumption else []
    overrides = [*saved, *typed]
    multirun = line.multirun or _asks_for_multirun(overrides)
    _check_overrides(line, overrides, loader, multirun)
    added = [] if is_main_process else [*SECONDARY_OVERRIDES]
    loader.typed_keys |= typed_keys(added)
    composed, config = _first_valid_config(loader, overrides, added)
    if multirun:
        sweeper = str(composed.hydra.sweeper._target_)
        asks = line.plan is not None or line.until is not None
        _check_sweeper(sweeper, config, overrides, asks_about_seeds=asks)
        if resumption:
            raise ConfigError(
                "resume= goes on with one run; -m starts many. Leave one of them out."
            )
    return _checked(
        ResolvedCommand(line, loader, composed, config, overrides, multirun, resumption)
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
    command = ResolvedCommand(
        line, loader, composed, config, [*saved, *typed], False, _resumed_run(typed)
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
    if swept and not multirun:
        raise ConfigError(
            f"{swept[0].input_line}: several values are a sweep; add -m:\n  mnist-train -m"
            f" {' '.join(line.overrides)}"
        )
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


def _first_valid_config(
    loader: CheckedConfigLoader, overrides: Sequence[Override], added: Sequence[str]
) -> tuple[DictConfig, RunConfig]:
    """Compose the run; of a sweep, a combination of its values that is possible.

    A sweep goes on past jobs that are impossible, and records them. If of the first combinations
    none is possible, the mistake is taken to be in all of them.

    Raises:
        ConfigError: what is wrong with the first one.
        MachineError: the launcher or the sweeper is not installed.
    """
    problem: ConfigError | None = None
    values = [each for o in overrides if (each := each_value(o))]
    for index in range(min(MAX_TRIED, max(map(len, values), default=1))):
        words = [each[index % len(each)] for each in values]
        if added:
            words = [*(word for word in words if not word.startswith(WRITTEN_BY_MAIN)), *added]
        try:
            composed = loader.compose(words)
            require_extras(composed.hydra)
            return composed, read_composed(composed)
        except RefusedError:
            raise
        except ConfigError as error:
            problem = problem or error
    raise problem or ConfigError("Nothing is left to run: a swept setting has no values.")


def _check_sweeper(
    sweeper: str, config: RunConfig, overrides: Sequence[Override], *, asks_about_seeds: bool
) -> None:
    """Raise ``ConfigError`` where the sweeper cannot do what is asked of it."""
    if sweeper != BASIC_SWEEPER:
        if asks_about_seeds:
            raise ConfigError(
                f"{PLAN}, {UNTIL}: compare the recipes that were typed, and this sweeper chooses"
                " its own. Leave out hydra/sweeper, and name the values: optimizer.lr=0.01,0.02"
            )
        if config.data.validation_size == 0:
            raise ConfigError(
                "data.validation_size=0: a sweeper that chooses as it goes looks at validation"
                " images, and there are none. Hold some out: data.validation_size=5000"
            )
        return
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise ConfigError(
                f"{override.input_line}: an interval needs a sweeper that draws from it, such as"
                " hydra/sweeper=optuna; or name the values:"
                f" {override.key_or_group}=0.01,0.1"
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
