"""Parse the command line of ``mnist-train``: Hydra's options, those of this package, and overrides.

No torch here: a mistake is answered before it is imported.
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_trainer.config.find_lr import PREFIX, FindLrSettings, read_find_lr
from mnist_trainer.config.hints import meant
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.errors import ConfigError, ExitCode
from mnist_trainer.launch.hydra.private import option_parser
from mnist_trainer.launch.paired import is_paired
from mnist_trainer.launch.seed_options import PLAN, UNTIL, Until, pop_plan, pop_until
from mnist_trainer.system.messages import nearest

EXPLAIN = "--explain"
FIND_LR = "--find-lr"
# What can be explained of a model; the first is what --explain alone asks for.
EXPLANATIONS = ("layers", "backward")
# Settings that hold the name of a file or folder.
PATH_KEYS = ("resume", "reproduce", "sweep_file", "hydra.run.dir", "hydra.sweep.dir", "data.root")
MAX_REASON = 5
"""Lines of Hydra's reason that are shown."""


@dataclass(frozen=True)
class CommandLine:
    """What was typed, sorted."""

    overrides: list[str]
    multirun: bool
    inspects: bool
    """Asks about the configuration (``--cfg``, ``--info``, completion) and trains nothing."""
    completes: bool
    """Asks for completion by a shell; the words are none of settings."""
    explain: str | None
    """Asks for an explanation of the model, one of ``EXPLANATIONS``, and trains nothing."""
    find_lr: FindLrSettings | None
    """Asks for a learning-rate test with these settings, and for no run."""
    config_name: str
    config_path: str | None
    config_dir: str | None
    """A folder of the user's own configurations, beside the shipped ones."""
    plan: float | None = None
    """Points of accuracy that a sweep is to show; asks what that takes, and trains nothing."""
    until: Until | None = None
    """When a sweep has enough seeds; None: it has those that were typed."""

    @property
    def runs(self) -> bool:
        """Whether it trains, a learning-rate test apart."""
        return not (self.inspects or self.explain or self.plan is not None)


def parse_command_line(argv: Sequence[str]) -> CommandLine:
    """Sort the arguments into options and overrides.

    Raises:
        ConfigError: an option that does not exist, or lacks its value.
    """
    parser = option_parser()
    parser.exit_on_error = False
    argv, explain = pop_explain_flag(argv)
    argv, find_lr = pop_find_lr(argv)
    argv, plan = pop_plan(argv)
    argv, until = pop_until(argv)
    try:
        arguments, rest = parser.parse_known_intermixed_args(argv)
    except argparse.ArgumentError as error:
        raise ConfigError(
            f"{error}. Options are listed by mnist-train --hydra-help; settings are key=value"
            " words."
        ) from error
    _check_options(arguments, explain, find_lr)
    if rest:
        known = [EXPLAIN, FIND_LR, PLAN, UNTIL, *re.findall(r"--[\w-]+", parser.format_usage())]
        raise _unknown_option(rest[0], argv, known)
    inspects = ("cfg", "info", "shell_completion", "hydra_help")
    return CommandLine(
        overrides=[quote_value(word) for word in arguments.overrides],
        multirun=arguments.multirun,
        inspects=any(getattr(arguments, name) for name in inspects),
        completes=arguments.shell_completion,
        explain=explain,
        find_lr=find_lr,
        config_name=arguments.config_name or "config",
        config_path=arguments.config_path,
        config_dir=arguments.config_dir,
        plan=plan,
        until=until,
    )


def _unknown_option(word: str, argv: Sequence[str], known: Sequence[str]) -> ConfigError:
    """The error for an option that does not exist; the name of a setting is meant as one."""
    option, separator, value = word.partition("=")
    following = argv[argv.index(word) + 1 :][:1]
    if not separator and following and not following[0].startswith("-"):
        value = following[0]
    hint = meant(option.lstrip("-").replace("-", "_"), value) or nearest(option, known)
    return ConfigError(
        f"{word} is not an option.{hint}\nSettings are words without dashes: mnist-train"
        " trainer.epochs=5. All options: mnist-train --hydra-help"
    )


def _check_options(
    arguments: argparse.Namespace, explain: str | None, find_lr: FindLrSettings | None
) -> None:
    """Raise ``ConfigError`` for an option that is not offered, and for two that exclude each
    other."""
    if arguments.experimental_rerun:
        raise ConfigError(
            "--experimental-rerun: reads a pickle, which may run whatever it holds: not offered. To"
            " go on with a run: mnist-train resume=PATH"
        )
    exclusive = ("multirun", "cfg", "info", "shell_completion", "run")
    given = [f"--{name.replace('_', '-')}" for name in exclusive if getattr(arguments, name)]
    given += [EXPLAIN] if explain else []
    given += [FIND_LR] if find_lr else []
    if len(given) > 1:
        raise ConfigError(f"{', '.join(given)}: these exclude each other; ask for one at a time.")


def pop_explain_flag(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """The argv without ``--explain``, and what it asks for: ``--explain``, ``--explain=backward``,
    ``--explain backward``.

    Raises:
        ConfigError: it asks for something that cannot be explained.
    """
    rest, explain = list(argv), None
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
        explain = value
    return rest, explain


def pop_find_lr(argv: Sequence[str]) -> tuple[list[str], FindLrSettings | None]:
    """The argv without ``--find-lr`` and the words ``find_lr.*``, and the settings that these give.

    Raises:
        ConfigError: a value that the flag does not take, or settings without it.
    """
    settings = [word for word in argv if word.startswith(PREFIX)]
    flags = [word for word in argv if word.partition("=")[0] == FIND_LR]
    if not flags:
        if settings:
            raise ConfigError(
                f"{settings[0]}: holds for the learning-rate test alone. Type it with the flag:"
                f" mnist-train {FIND_LR} {settings[0]}"
            )
        return list(argv), None
    if wrong := next((word for word in flags if word != FIND_LR), None):
        raise ConfigError(
            f"{wrong}: {FIND_LR} takes no value; its settings are words: mnist-train {FIND_LR}"
            " find_lr.seeds=10"
        )
    rest = [word for word in argv if word not in flags and word not in settings]
    return rest, read_find_lr(settings)


def quote_value(word: str) -> str:
    """Quote a value that Hydra's grammar would refuse, though a user would not think of quoting it.

    Outside quotes the grammar knows only ASCII, and in a path no ``=`` and no brackets, as folders
    of sweeps have them.
    """
    key, separator, value = word.partition("=")
    odd = not value.isascii() or (
        key in PATH_KEYS and any(mark in value for mark in "=()[]{}:@~") and "${" not in value
    )
    if (
        not separator
        or not odd
        or value[:1] in "'\""
        or (value[:1] in "[{" and key not in PATH_KEYS)
        or not key.isascii()
        or is_paired(word)
    ):
        return word
    return f'{key}="{escaped(value)}"'


def escaped(text: str) -> str:
    """A text as it stands between double quotes: Hydra takes a backslash as it is, but for those
    before a quote."""
    return re.sub(r'(\\*)("|\Z)', lambda run: 2 * run[1] + run[2].replace('"', '\\"'), text)


def path_override(key: str, path: Path) -> str:
    """An override that sets a key to a path, whatever characters the path holds."""
    text = escaped(str(path)).replace("${", "\\${")
    return f'{key}="{text}"'


def delegate_to_hydra() -> None:
    """Let Hydra answer a question about the configuration, in its own way.

    Raises:
        ConfigError: it cannot.
    """
    import hydra as hydra_package
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    sys.argv[0] = "mnist-train"
    GlobalHydra.instance().clear()
    # Otherwise Hydra prints the tracebacks of others' errors, and exits with 1 for a mistake.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    answer = hydra_package.main(
        version_base="1.3", config_path=str(config_dir()), config_name="config"
    )(lambda _: None)
    try:
        answer()
    except SystemExit as ended:
        sys.exit(ended.code and ExitCode.CONFIG)
    except (HydraException, OmegaConfBaseException, ValueError, YAMLError) as error:
        lines = [line.strip() for line in str(error).splitlines()[:MAX_REASON]]
        raise ConfigError(" ".join(lines) or type(error).__name__) from error
