"""Overrides, the ``key=value`` words of a command line: parsed, and held to the groups and keys
that exist.

No torch here: a mistake is answered before it is imported.
"""

from typing import Any

from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from mnist_trainer.config.reader import OVERLAY_GROUPS
from mnist_trainer.config.shipped import group_choices, group_names
from mnist_trainer.errors import ConfigError
from mnist_trainer.system.messages import nearest, unknown_key


def parse_overrides(words: list[str]) -> list[Override]:
    """Hydra's grammar of overrides.

    Raises:
        ConfigError: a word that is no override, or lacks its value.
    """
    for word in words:
        if "=" not in word and not word.startswith("~"):
            known = [*group_names(), "seed", "name", "sweep"]
            raise ConfigError(
                f"{word!r} is not a setting: settings are key=value words, such as model=cnn or"
                f" trainer.epochs=5.{nearest(word, known)}"
            )
        key, _, value = word.partition("=")
        if "=" in word and not value and key.lstrip("+") in group_names():
            raise ConfigError(
                f"{key}= lacks its value. Choose one of:"
                f" {', '.join(group_choices(key.lstrip('+')))}"
            )
        if "=" in word and not value:
            raise ConfigError(f"{key}= lacks its value. To set nothing: {key}=null")
    try:
        # Without the loader a glob does not know what there is to choose from.
        loader = (
            GlobalHydra.instance().config_loader()
            if GlobalHydra.instance().is_initialized()
            else None
        )
        return OverridesParser.create(config_loader=loader).parse_overrides(words)
    except HydraException as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{reason}\nA value with spaces, commas or brackets needs quotes twice: 'name=\"my"
            " run\"', 'model.hidden=[300,100]'"
        ) from error


def check_groups(overrides: list[Override]) -> None:
    """Refuse a choice that its group does not offer; folders of the user's own are left to Hydra."""
    problems = []
    added_paths = any(override.key_or_group == "hydra.searchpath" for override in overrides)
    for override in overrides:
        group = str(override.key_or_group)
        if group not in group_names() or override.is_delete():
            continue
        offered = group_choices(group)
        values = _values(override)
        takes = (str, list, dict) if group in OVERLAY_GROUPS else (str, dict)
        if wrong := [value for value in values if not isinstance(value, takes)]:
            problems.append(f"{group}={wrong[0]}: choose one of: {', '.join(offered)}")
        values = [
            each for value in values for each in (value if isinstance(value, list) else [value])
        ]
        problems += [
            f"{group}={value}: there is no such {group}.{nearest(str(value), offered)} Valid:"
            f" {', '.join(offered)}"
            for value in values
            if isinstance(value, str)
            and value not in offered
            and not added_paths
            and not _elsewhere(group, value)
        ]
    if problems:
        raise ConfigError("\n".join(problems))


def refuse_empty(swept: list[Override]) -> None:
    """Raises:
    ConfigError: a swept setting has no values, so there would be no jobs.
    """
    for override in swept:
        if not each_value(override):
            key = str(override.key_or_group)
            valid = (
                f"Valid: {', '.join(group_choices(key))}"
                if key in group_names()
                else f"Name some: {key}=0,1,2"
            )
            raise ConfigError(
                f"{override.input_line}: there are no values in it, so nothing is left to run."
                f" {valid}"
            )


def check_keys(hydra: Hydra, config_name: str, overrides: list[Override]) -> None:
    """After a failed composition: find every key that does not exist, with what does exist beside
    it.

    Raises:
        ConfigError: where at least one key is unknown.
    """
    # Only choices: options that are given to a group as a mapping may be what composition failed
    # at.
    choices = [
        o
        for o in overrides
        if o.key_or_group in group_names() and not o.is_delete() and not isinstance(o.value(), dict)
    ]
    groups = [first_value(o) for o in choices]
    base = hydra.compose_config(
        config_name, groups, run_mode=RunMode.RUN, with_log_configuration=False, from_shell=False
    )
    problems = []
    for override in overrides:
        key = str(override.key_or_group)
        if key in group_names() or override.is_add() or override.is_force_add():
            continue
        node: Any = base
        walked: list[str] = []
        for part in key.split("."):
            if not isinstance(node, DictConfig) or part not in node:
                known = (
                    [str(k) for k in node if k != "hydra"] if isinstance(node, DictConfig) else []
                )
                problems.append(unknown_key(".".join([*walked, part]), known))
                break
            walked.append(part)
            node = node._get_node(part)
    if problems:
        raise ConfigError("\n".join(problems))


def _elsewhere(group: str, choice: str) -> bool:
    """Whether a choice that is not shipped is to be found in a folder that the user added."""
    loader: Any = GlobalHydra.instance().config_loader()
    return choice in loader.get_group_options(group)


def _values(override: Override) -> list[Any]:
    if override.is_sweep_override():
        return (
            [value.strip("'\"") for value in override.sweep_string_iterator()]
            if override.is_discrete_sweep()
            else []
        )
    return [override.value()]


def each_value(override: Override) -> list[str]:
    """The override as single runs would have it: one with each value of a swept key; of an
    interval, its ends."""
    if not override.is_sweep_override() or override.input_line is None:
        return [str(override.input_line)]
    name = override.input_line.partition("=")[0]
    if override.is_discrete_sweep():
        return [f"{name}={value}" for value in override.sweep_string_iterator()]
    interval: Any = override.value()
    return [f"{name}={interval.start}", f"{name}={interval.end}"]


def first_value(override: Override) -> str:
    """The override as a single run would have it: a swept key with its first value."""
    return each_value(override)[0]
