"""The command line of ``mnist-train``: Hydra's own parser and composition, with every mistake
answered before torch.

Hydra's ``main`` ends with exit code 1 and a traceback where this package promises a code and a
hint, so the few calls that it is made of are made here.
"""

import sys
from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.errors import ConfigError, RefusedError
from mnist_trainer.launch.hydra.guard import create_guarded_hydra
from mnist_trainer.launch.hydra.launchers import refuse_launcher_without_sweep, require_extras
from mnist_trainer.launch.hydra.plugins import keep_plugins_out
from mnist_trainer.launch.overrides import (
    check_groups,
    check_keys,
    each_value,
    parse_overrides,
    refuse_empty,
)
from mnist_trainer.runs.folder import is_run_folder
from mnist_trainer.runs.resume import (
    Resumption,
    check_config_unchanged,
    find_run,
    load_saved_overrides,
)
from mnist_trainer.system.messages import nearest

JOB_NAME = "train"
# Combinations of a sweep that are looked at before the first mistake is told.
MOST_TRIED = 6
EXPLAIN = "--explain"
# What can be explained of a model; the first is what --explain alone asks for.
EXPLANATIONS = ("layers", "backward")
# Settings that hold the name of a file or folder.
PATH_KEYS = ("resume", "hydra.run.dir", "hydra.sweep.dir", "data.root")
# What becomes of a configuration that cannot be composed; an AttributeError where values are merged
# into a section of Hydra that is null.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, AttributeError)


@dataclass(frozen=True)
class CommandLine:
    """What was typed, sorted."""

    overrides: list[str]
    multirun: bool
    inspects: bool
    """Asks about the configuration (``--cfg``, ``--info``, completion) and trains nothing."""
    explain: str | None
    """Asks for an explanation of the model, one of ``EXPLANATIONS``, and trains nothing."""
    config_name: str
    config_path: str | None
    config_dir: str | None
    """A folder of the user's own configurations, beside the shipped ones."""


@dataclass(frozen=True)
class Plan:
    """A command line that holds what it needs to run: composed, and checked."""

    config: RunConfig
    """Of the single run; of a sweep, of the first job found that is possible."""
    overrides: list[str]
    fixed_keys: list[str]
    """Keys that were set, and are the same in every job of a sweep."""
    swept_keys: list[str]
    multirun: bool
    launcher: str
    """Class that runs the jobs of a sweep."""
    run_dir: Path | None
    """The folder that the user named, if any."""
    sweep_dir: Path | None
    resumption: Resumption | None
    """The run to go on with, if one was named."""


def parse_command_line(words: Sequence[str]) -> CommandLine:
    """Sort the words into options and overrides.

    Raises:
        ConfigError: an option that does not exist, or lacks its value.
    """
    parser = get_args_parser()
    parser.exit_on_error = False
    known = [EXPLAIN, *(option for action in parser._actions for option in action.option_strings)]
    words, explain = pop_explain_flag(words)
    try:
        arguments, rest = parser.parse_known_intermixed_args(words)
    except ArgumentError as error:
        raise ConfigError(
            f"{error}. Options are listed by mnist-train --hydra-help; settings are key=value"
            " words."
        ) from error
    if arguments.experimental_rerun:
        raise ConfigError(
            "--experimental-rerun: reads a pickle, which may run whatever it holds: not offered."
            " To go on with a run: mnist-train resume=PATH"
        )
    asked = [
        name
        for name in ("multirun", "cfg", "info", "shell_completion", "run")
        if getattr(arguments, name)
    ]
    asked += ["explain"] if explain else []
    if len(asked) > 1:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in asked)
        raise ConfigError(f"{options}: these exclude each other; ask for one at a time.")
    if rest:
        option = rest[0].partition("=")[0]
        like = nearest(option, known)
        raise ConfigError(
            f"{rest[0]} is not an option.{like}\nSettings are words without dashes: mnist-train"
            " trainer.epochs=5. All options: mnist-train --hydra-help"
        )
    return CommandLine(
        overrides=[quote_value(word) for word in arguments.overrides],
        multirun=arguments.multirun,
        inspects=bool(
            arguments.cfg or arguments.info or arguments.shell_completion or arguments.hydra_help
        ),
        explain=explain,
        config_name=arguments.config_name or "config",
        config_path=arguments.config_path,
        config_dir=arguments.config_dir,
    )


def pop_explain_flag(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without ``--explain``, and what it asks for: ``--explain``, ``--explain=backward``,
    ``--explain backward``.

    Raises:
        ConfigError: it asks for something that cannot be explained.
    """
    rest, asked = list(words), None
    while (
        place := next((k for k, word in enumerate(rest) if word.partition("=")[0] == EXPLAIN), None)
    ) is not None:
        _, separator, value = rest.pop(place).partition("=")
        if not separator:
            value = (
                rest.pop(place)
                if rest[place : place + 1] and rest[place] in EXPLANATIONS
                else EXPLANATIONS[0]
            )
        if value not in EXPLANATIONS:
            raise ConfigError(
                f"{EXPLAIN}={value}: must be one of:"
                f" {', '.join(EXPLANATIONS)}.{nearest(value, EXPLANATIONS)}"
            )
        asked = value
    return rest, asked


def quote_value(word: str) -> str:
    """Quote a value that Hydra's grammar would refuse, though a user would not think of quoting it.

    Outside quotes the grammar knows only ASCII, and in a path no ``=`` and no brackets, as folders
    of sweeps have them.
    """
    key, separator, value = word.partition("=")
    odd = not value.isascii() or (
        key in PATH_KEYS and any(mark in value for mark in "=()[]{}:@") and "${" not in value
    )
    if (
        not separator
        or not odd
        or value[:1] in "'\""
        or (value[:1] in "[{" and key not in PATH_KEYS)
        or not key.isascii()
    ):
        return word
    escaped = value.replace('"', '\\"')
    return f'{key}="{escaped}"'


def start_hydra(command: CommandLine) -> Hydra:
    """Hydra, looking for configurations in the shipped folder and in the user's.

    Raises:
        ConfigError: a folder of configurations that does not exist.
    """
    version.setbase("1.3")
    keep_plugins_out()
    main = Path(command.config_path).resolve() if command.config_path else config_dir()
    search_path: Any = create_config_search_path(f"file://{main}")
    for option, folder in (
        ("--config-path", command.config_path),
        ("--config-dir", command.config_dir),
    ):
        if folder is not None and not Path(folder).is_dir():
            raise ConfigError(f"{option} {folder}: there is no such folder.")
    if command.config_dir:
        search_path.prepend(
            "command-line",
            f"file://{Path(command.config_dir).resolve()}",
            SearchPathQuery(provider="schema"),
        )
    GlobalHydra.instance().clear()
    return create_guarded_hydra(JOB_NAME, search_path)


def plan(hydra: Hydra, command: CommandLine) -> Plan:
    """Compose what was typed, and check all of it.

    Raises:
        ConfigError: names what is wrong, and the nearest thing that is right.
    """
    typed = parse_overrides(command.overrides)
    resumption = resumed_run(typed)
    words = [*resumption.overrides, *command.overrides] if resumption else command.overrides
    overrides = parse_overrides(words)
    multirun = command.multirun or any(
        o.key_or_group == "hydra.mode" and "MULTIRUN" in str(o.value()) for o in overrides
    )
    swept = [o for o in overrides if o.is_sweep_override()]
    if swept and not multirun:
        raise ConfigError(
            f"{swept[0].input_line}: several values are a sweep; add -m:\n  mnist-train -m"
            f" {' '.join(command.overrides)}"
        )
    check_groups(overrides)
    refuse_empty(swept)
    if hidden := next((o for o in swept if str(o.key_or_group).startswith("hydra")), None):
        raise ConfigError(f"{hidden.input_line}: Hydra's own settings cannot be swept.")
    if not multirun and not command.inspects:
        refuse_launcher_without_sweep(command.overrides)
    if any(override.key_or_group == "hydra.sweep.subdir" for override in overrides):
        raise ConfigError(
            "hydra.sweep.subdir: a sweep names the folders of its jobs itself, so that it finds"
            " them again."
        )
    config, launcher, sweeper = first_valid_config(hydra, command.config_name, overrides)
    if multirun:
        check_sweeper(sweeper, config, swept)
    if resumption and multirun:
        raise ConfigError("resume= goes on with one run; -m starts many. Leave one of them out.")
    if resumption and not config.resume_allow_changes:
        check_config_unchanged(resumption.folder, config.plain)
    return Plan(
        config=config,
        overrides=words,
        fixed_keys=[
            str(override.key_or_group) for override in overrides if not override.is_sweep_override()
        ],
        swept_keys=[str(override.key_or_group) for override in swept],
        multirun=multirun,
        launcher=launcher,
        run_dir=_named_folder(overrides, "hydra.run.dir"),
        sweep_dir=_named_folder(overrides, "hydra.sweep.dir"),
        resumption=resumption,
    )


def first_valid_config(
    hydra: Hydra, config_name: str, overrides: list[Override]
) -> tuple[RunConfig, str, str]:
    """The settings of the run, and the classes that launch and choose jobs; of a sweep, those of a
    combination that is possible.

    A sweep goes on past jobs that are impossible, and records them. If of the first combinations
    tried none is possible, the mistake is taken to be in all of them.

    Raises:
        ConfigError: what is wrong with the first one.
        MachineError: the launcher or the sweeper is not installed.
    """
    problem: ConfigError | None = None
    for index in range(min(MOST_TRIED, max((len(each_value(o)) for o in overrides), default=1))):
        words = [values[index % len(values)] for o in overrides if (values := each_value(o))]
        try:
            composed = compose(hydra, config_name, words, overrides)
            choices = {
                group: choice
                for group, choice in composed.hydra.runtime.choices.items()
                if isinstance(choice, str)
            }
            require_extras(composed.hydra)
            launcher, sweeper = (
                str(composed.hydra[part]._target_) for part in ("launcher", "sweeper")
            )
            with open_dict(composed):
                del composed["hydra"]
            return read_config(composed, choices), launcher, sweeper
        except RefusedError:
            raise
        except ConfigError as error:
            problem = problem or error
    raise problem or ConfigError("Nothing is left to run: a swept setting has no values.")


def check_sweeper(sweeper: str, config: RunConfig, swept: list[Override]) -> None:
    """Raises:
    ConfigError: the sweeper cannot do what is asked of it.
    """
    if not sweeper.endswith(".BasicSweeper"):
        if config.data.validation_size == 0:
            raise ConfigError(
                "data.validation_size=0: a sweeper that chooses as it goes looks at validation"
                " images, and there are none. Hold some out: data.validation_size=5000"
            )
    elif interval := next(
        (override for override in swept if not override.is_discrete_sweep()), None
    ):
        raise ConfigError(
            f"{interval.input_line}: an interval needs a sweeper that draws from it, such as"
            f" hydra/sweeper=optuna; or name the values: {interval.key_or_group}=0.01,0.1"
        )


def resumed_run(typed: list[Override]) -> Resumption | None:
    """The run that ``resume=`` names, if it does.

    Raises:
        ConfigError: it names none, or ``auto`` without saying where.
    """
    asked: Any = next(
        (override.value() for override in reversed(typed) if override.key_or_group == "resume"),
        None,
    )
    if asked is None:
        return None
    if asked == "auto":
        place = _named_folder(typed, "hydra.run.dir")
        if place is None:
            raise ConfigError("resume=auto needs to know where: add hydra.run.dir=PATH")
        if not is_run_folder(place) and not (place / ".hydra" / "overrides.yaml").is_file():
            return None
        asked = place
    return load_saved_overrides(
        find_run(str(asked)), {str(override.key_or_group) for override in typed}
    )


def compose(
    hydra: Hydra, config_name: str, words: list[str], overrides: list[Override]
) -> DictConfig:
    """Hydra's composition, with its refusals in this package's words."""
    try:
        return hydra.compose_config(
            config_name, words, run_mode=RunMode.RUN, with_log_configuration=False, from_shell=False
        )
    except COMPOSITION_ERRORS as error:
        raise explained(error, hydra, config_name, overrides) from error


def explained(
    error: Exception, hydra: Hydra, config_name: str, overrides: list[Override]
) -> ConfigError:
    """What Hydra raised of a configuration that it cannot compose, in this package's words."""
    if isinstance(error, ConfigCompositionException):
        try:
            check_keys(hydra, config_name, overrides)
        except ConfigError as found:
            return found
    cause = error.__cause__
    lines = [line for line in f"{error}\n{cause or ''}".splitlines() if line.strip()]
    return ConfigError("\n".join(lines[:6]))


def _named_folder(overrides: list[Override], key: str) -> Path | None:
    values = [override.value() for override in overrides if override.key_or_group == key]
    return Path(str(values[-1])) if values else None


def quoted(key: str, path: Path) -> str:
    """An override that sets a key to a path, whatever characters the path holds."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${")
    return f'{key}="{text}"'


def delegate_to_hydra() -> None:
    """Let Hydra answer a question about the configuration, in its own way."""
    import hydra as hydra_package

    sys.argv[0] = "mnist-train"
    GlobalHydra.instance().clear()
    hydra_package.main(version_base="1.3", config_path=str(config_dir()), config_name="config")(
        lambda _: None
    )()
