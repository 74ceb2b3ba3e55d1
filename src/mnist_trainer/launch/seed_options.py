"""The options that are about the number of seeds: ``--plan`` and ``--until``.

They are options and no settings: no job of the sweep has them, so they are in no configuration and
no hash, and Hydra's grammar, which knows no functions of others, does not see them. No torch here:
a mistake is answered before it is imported.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.launchers import BASIC_SWEEPER

PLAN, UNTIL = "--plan", "--until"
LEAST_SEEDS, MOST_SEEDS = 3, 10_000
UNTIL_EXAMPLE = f"{UNTIL} width=0.2,max=60"
UNTIL_KEYS = ("width", "max")


@dataclass(frozen=True)
class Until:
    """When a sweep has enough seeds."""

    width: float
    """Points of accuracy that the interval of a difference may be wide."""
    most: int
    """Seeds of each recipe at which it ends in any case."""


def pop_option(argv: Sequence[str], option: str, example: str) -> tuple[list[str], str | None]:
    """The argv without an option, and its value: ``--plan=0.05`` or ``--plan 0.05``.

    Raises:
        ConfigError: it lacks its value, or is given twice.
    """
    rest, found = list(argv), None
    places = [k for k, word in enumerate(rest) if word.partition("=")[0] == option]
    if len(places) > 1:
        raise ConfigError(f"{option}: given {len(places)} times. Give it once: {example}")
    for place in places:
        _, separator, found = rest.pop(place).partition("=")
        if not separator:
            found = rest.pop(place) if place < len(rest) else ""
        if not found or found.startswith("-"):
            raise ConfigError(f"{option} lacks its value. Type: {example}")
    return rest, found


def parse_points(text: str, option: str, example: str) -> float:
    """A difference in points of accuracy.

    Raises:
        ConfigError: it is no number above 0 and at most 100.
    """
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not 0 < points <= 100:
        raise ConfigError(
            f"{option}: {text!r} must be a number of points of accuracy, above 0 and at most 100."
            f" Type: {example}"
        )
    return points


def pop_plan(argv: Sequence[str]) -> tuple[list[str], float | None]:
    """The argv without ``--plan``, and the difference it asks for, in points of accuracy.

    Raises:
        ConfigError: it is no such difference.
    """
    example = f"{PLAN} 0.1"
    rest, text = pop_option(argv, PLAN, example)
    return rest, None if text is None else parse_points(text, PLAN, example)


def pop_until(argv: Sequence[str]) -> tuple[list[str], Until | None]:
    """The argv without ``--until``, and the rule that it states.

    Raises:
        ConfigError: it states none.
    """
    rest, text = pop_option(argv, UNTIL, UNTIL_EXAMPLE)
    if text is None:
        return rest, None
    pairs = [part.partition("=") for part in text.split(",")]
    given = {key.strip(): value.strip() for key, _, value in pairs}
    if sorted(given) != sorted(UNTIL_KEYS) or len(pairs) != len(UNTIL_KEYS):
        raise ConfigError(
            f"{UNTIL} {text}: needs width=POINTS, how wide the interval of the difference may be,"
            f" and max=SEEDS, at which it ends in any case, and nothing else. Type: {UNTIL_EXAMPLE}"
        )
    width = parse_points(given["width"], f"{UNTIL} width", UNTIL_EXAMPLE)
    most = int(given["max"]) if given["max"].isdecimal() else 0
    if not LEAST_SEEDS <= most <= MOST_SEEDS:
        raise ConfigError(
            f"{UNTIL} max: {given['max']!r} must be a whole number of seeds, {LEAST_SEEDS} to"
            f" {MOST_SEEDS}. Type: {UNTIL_EXAMPLE}"
        )
    return rest, Until(width, most)


def check_seed_options(
    has_plan: bool, has_until: bool, overrides: Sequence[Override], multirun: bool
) -> None:
    """Refuse what makes no sense beside ``--plan`` and ``--until``.

    Raises:
        ConfigError: there is no sweep, or the seeds were typed.
    """
    if not (has_plan or has_until):
        return
    option, example = (UNTIL, UNTIL_EXAMPLE) if has_until else (PLAN, f"{PLAN} 0.1")
    if not multirun:
        raise ConfigError(
            f"{option}: compares the recipes of a sweep. Sweep a setting with -m:"
            f" mnist-train -m optimizer.lr=0.01,0.02 {example}"
        )
    seeds = [each for each in overrides if each.key_or_group == "seed"]
    if has_until and any(each.is_sweep_override() for each in seeds):
        raise ConfigError(
            f"{UNTIL}: adds the seeds itself, and {seeds[-1].input_line} names them. Leave that"
            " out, or give the first one: seed=0"
        )


def require_named_recipes(sweeper: str) -> None:
    """Raise ``ConfigError`` where a search would choose the recipes that are to be compared."""
    if sweeper != BASIC_SWEEPER:
        raise ConfigError(
            f"{PLAN}, {UNTIL}: compare the recipes that were typed, and this sweeper chooses"
            " its own. Leave out hydra/sweeper, and name the values: optimizer.lr=0.01,0.02"
        )
