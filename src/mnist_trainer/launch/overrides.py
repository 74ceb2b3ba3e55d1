"""Parse overrides, and hold them to the groups and keys that exist.

No torch here: a mistake is answered before it is imported.
"""

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
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
from mnist_trainer.launch.paired import Row, is_paired, paired_rows

MAX_JOBS = 100_000
"""Jobs of one sweep."""


@dataclass(frozen=True)
class Axis:
    """Alternatives of which each job of a sweep has one."""

    rows: tuple[Row, ...]
    is_swept: bool
    """Whether it was written as several values, even if it is one."""

    @property
    def keys(self) -> list[str]:
        """The settings that it sets, in one row or another."""
        return list(dict.fromkeys(key_of(word) for row in self.rows for word in row))

    def without(self, keys: Collection[str]) -> "Axis":
        """The axis without some settings; rows that are alike then are one."""
        rows = (tuple(word for word in row if key_of(word) not in keys) for row in self.rows)
        return Axis(tuple(dict.fromkeys(rows)), self.is_swept)


def key_of(word: str) -> str:
    """The setting that an override sets."""
    return word.partition("=")[0].lstrip("+~")


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


def axes_of(words: Sequence[str], loader: ConfigLoader | None = None) -> list[Axis]:
    """The axis that each word is: a setting with its value or values, or several that go together.

    Raises:
        ConfigError: a word that is no override, a swept setting without values, or a row that
            does not fit its keys.
    """
    ordinary = parse_overrides([word for word in words if not is_paired(word)], loader)
    refuse_empty([override for override in ordinary if override.is_sweep_override()])
    left = iter(ordinary)
    return [paired_axis(word) if is_paired(word) else _axis(next(left)) for word in words]


def _axis(override: Override) -> Axis:
    return Axis(tuple((word,) for word in each_value(override)), bool(override.is_sweep_override()))


def paired_axis(word: str) -> Axis:
    """The axis of a word that sets several keys at once.

    Raises:
        ConfigError: a row does not fit the keys, or holds several values for one of them.
    """
    rows = paired_rows(word)
    for override in parse_overrides([word for row in rows for word in row]):
        if override.is_sweep_override():
            raise ConfigError(
                f"{word}: {override.input_line} stands for several values, and a row has one for"
                " each key. Write the rows out, such as trainer.epochs:optimizer.lr=1:0.1,2:0.05"
            )
    return Axis(rows, True)


def grid(
    config: DictConfig,
    words: Sequence[str],
    blocks: Sequence[Sequence[Axis]] = ((),),
    loader: ConfigLoader | None = None,
) -> Iterator[list[list[str]]]:
    """All combinations, in batches of ``hydra.sweeper.max_batch_size``, the last key fastest.

    Args:
        words: what was typed; each job has it.
        blocks: axes besides, of one part of the sweep after the other.
        loader: knows the choices that a glob stands for.

    Raises:
        ConfigError: a swept setting has no values, or there are too many combinations.
    """
    params: Any = config.hydra.sweeper.params or {}
    typed = axes_of([*(f"{key}={value}" for key, value in params.items()), *words], loader)
    parts = [[axis.rows for axis in (*block, *typed)] for block in blocks]
    if (number := sum(math.prod(map(len, part)) for part in parts)) > MAX_JOBS:
        raise ConfigError(
            f"These settings make {number:,} jobs, and a sweep has at most {MAX_JOBS:,}. Leave"
            " values out, or let a search choose: hydra/sweeper=optuna"
        )
    jobs = [job for part in parts for job in _product(part)]
    size = config.hydra.sweeper.max_batch_size or max(1, len(jobs))
    for start in range(0, len(jobs), size):
        yield jobs[start : start + size]


def _product(axes: Sequence[Sequence[Row]]) -> Iterator[list[str]]:
    """The overrides of each combination of rows."""
    for rows in itertools.product(*axes):
        yield [word for row in rows for word in row]
