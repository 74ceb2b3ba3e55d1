"""Parse overrides, and hold them to the groups and keys that exist.

No torch here: a mistake is answered before it is imported.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from yaml import YAMLError

from mnist_trainer.config.hints import meant_choice, meant_word, unknown_setting
from mnist_trainer.config.reader import OVERLAY_GROUPS
from mnist_trainer.config.shipped import group_choices, group_names
from mnist_trainer.errors import ConfigError


def parse_overrides(words: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Parse overrides by Hydra's grammar.

    Args:
        loader: knows the choices that a glob stands for.

    Raises:
        ConfigError: a word that is no override, or lacks its value.
    """
    for word in words:
        _check_word(word)
    try:
        return OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    # A ValueError: a number of thousands of digits.
    except (HydraException, ValueError, YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"{reason}\nA value with spaces, commas or brackets needs quotes twice:"
            " 'name=\"my run\"', 'model.hidden=[300,100]'"
        ) from error


def _check_word(word: str) -> None:
    """Raise ``ConfigError`` where a word is no override, or lacks its value."""
    key, separator, value = word.partition("=")
    if not separator and not word.startswith("~"):
        raise ConfigError(
            f"{word!r} is not a setting: settings are key=value words, such as model=cnn or"
            f" trainer.epochs=5.{meant_word(word)}"
        )
    if separator and not value:
        choices = ", ".join(group_choices(key.lstrip("+")))
        valid = f"Choose one of: {choices}" if choices else f"To set nothing: {key}=null"
        raise ConfigError(f"{key}= lacks its value. {valid}")


def check_groups(overrides: Sequence[Override], loader: ConfigLoader) -> None:
    """Refuse a choice that its group does not offer.

    Raises:
        ConfigError: names each such choice, with what the group offers.
    """
    # What folders hold that are added by an override is not known yet: Hydra answers.
    added_paths = any(override.key_or_group == "hydra.searchpath" for override in overrides)
    choices = [o for o in overrides if o.key_or_group in group_names() and not o.is_delete()]
    problems = [
        problem for o in choices for problem in _choice_problems(o, loader, checked=not added_paths)
    ]
    if problems:
        raise ConfigError("\n".join(problems))


def _choice_problems(override: Override, loader: ConfigLoader, *, checked: bool) -> Iterator[str]:
    """A sentence for each value of a group's override that the group does not offer."""
    group = str(override.key_or_group)
    offered = group_choices(group)
    values = _values(override)
    takes = (str, list, dict) if group in OVERLAY_GROUPS else (str, dict)
    if wrong := [value for value in values if not isinstance(value, takes)]:
        yield f"{group}={wrong[0]}: choose one of: {', '.join(offered)}"
    if not checked:
        return
    names = [each for value in values for each in (value if isinstance(value, list) else [value])]
    for name in names:
        if isinstance(name, str) and name not in [*offered, *loader.get_group_options(group)]:
            guess = meant_choice(name, offered)
            yield f"{group}={name}: there is no such {group}.{guess} Valid: {', '.join(offered)}"


def refuse_empty(swept: list[Override]) -> None:
    """Refuse a swept setting without values: there would be no jobs.

    Raises:
        ConfigError: names the setting.
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


def check_keys(base_of: Callable[[list[str]], Any], overrides: Sequence[Override]) -> None:
    """Find every key that does not exist, after a failed composition.

    Args:
        base_of: composes choices of groups alone, as plain values.

    Raises:
        ConfigError: names each unknown key, with what does exist beside it.
    """
    # Options that are given to a group as a mapping may be what composition failed at.
    groups = [o for o in overrides if o.key_or_group in group_names() and not o.is_delete()]
    base = base_of([first_value(o) for o in groups if not isinstance(o.value(), dict)])
    keys = [
        (str(o.key_or_group), str(o.input_line).partition("=")[2])
        for o in overrides
        if o.key_or_group not in group_names() and not (o.is_add() or o.is_force_add())
    ]
    problems = [problem for key, value in keys if (problem := _unknown_part(base, key, value))]
    if problems:
        raise ConfigError("\n".join(problems))


def _unknown_part(node: Any, key: str, value: str) -> str | None:
    """What is wrong with a dotted key that does not exist; None for one that does."""
    walked: list[str] = []
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            known = (
                [str(name) for name in node if name != "hydra"] if isinstance(node, dict) else []
            )
            return unknown_setting(".".join([*walked, part]), known, value)
        walked.append(part)
        node = node[part]
    return None


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


def grid(config: DictConfig, words: Sequence[str]) -> Iterator[list[list[str]]]:
    """All combinations, in batches of ``hydra.sweeper.max_batch_size``, the last key fastest.

    Raises:
        ConfigError: a swept setting has no values.
    """
    params: Any = config.hydra.sweeper.params or {}
    overrides = parse_overrides([*(f"{key}={value}" for key, value in params.items()), *words])
    refuse_empty([override for override in overrides if override.is_sweep_override()])
    jobs = [list(job) for job in itertools.product(*map(each_value, overrides))]
    size = config.hydra.sweeper.max_batch_size or max(1, len(jobs))
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]
