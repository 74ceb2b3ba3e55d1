"""Compare the passports of two machines: a few sentences, and the figures beside each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from mnist_trainer.report.read.json_values import JsonValues

SAME = 0.05
"""Ratios this near to one are called equal, unless the machines' own spread is larger."""
DASH = "-"


@dataclass(frozen=True)
class Figure:
    """One measured value of both machines."""

    name: str
    a: float | None
    b: float | None
    unit: str
    lower_is_better: bool = False

    @property
    def quicker(self) -> float | None:
        """How many times as quick B is."""
        if not self.a or not self.b or self.a < 0 or self.b < 0:
            return None
        return self.a / self.b if self.lower_is_better else self.b / self.a


@dataclass(frozen=True)
class PassportComparison:
    """What two passports differ in."""

    names: tuple[str, str]
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...]
    differences: tuple[tuple[str, str, str], ...]
    """Name, value of A, value of B."""


def compare_passports(a: JsonValues, b: JsonValues, names: tuple[str, str]) -> PassportComparison:
    """Compare B with A.

    Args:
        names: of the two, such as their files.
    """
    figures = tuple(figures_of(a, b))
    sentences = (
        speed_sentence(a, b, figures),
        bits_sentence(a, b),
        *low_precision_sentences(a, b),
        *alarm_sentences(a, b),
    )
    return PassportComparison(names, sentences, figures, tuple(differing_facts(a, b)))


def best(passport: JsonValues, name: str) -> float | None:
    """The largest value over the numbers of threads."""
    values = [value for row in passport.rows("scaling") if (value := row.number(name)) is not None]
    return max(values, default=None)


def by_name(table: str, key: str, name: str, value: str, passport: JsonValues) -> float | None:
    """A value of the row of a table that has a name."""
    rows = (row for row in passport.rows(table) if row.text(key) == name)
    return next((row.number(value) for row in rows), None)


def figures_of(a: JsonValues, b: JsonValues) -> Iterator[Figure]:
    """The speeds that are compared, those of whole recipes first."""

    def pair(read: Callable[[JsonValues], float | None]) -> tuple[float | None, float | None]:
        return read(a), read(b)

    yield Figure("training to 99 %", *pair(lambda p: p.number("to_99", "train_seconds")), "s", True)
    for recipe in ("docs_fcn", "docs_cnn", "fast99"):
        values = pair(partial(by_name, "recipes", "recipe", recipe, "step_ms"))
        yield Figure(f"step of {recipe}", *values, "ms", True)
    yield Figure("products in fp32", *pair(lambda p: best(p, "gflops")), "GFLOP/s")
    yield Figure(
        "products in bf16",
        *pair(partial(by_name, "low_precision", "precision", "bf16", "gflops")),
        "GFLOP/s",
    )
    yield Figure("memory", *pair(lambda p: best(p, "triad")), "GB/s")


def speed_sentence(a: JsonValues, b: JsonValues, figures: tuple[Figure, ...]) -> str:
    """How B's speed compares, by the first figure that both have."""
    found = next((figure for figure in figures if figure.quicker is not None), None)
    if found is None or found.quicker is None:
        return "The passports have no speed in common."
    spread = max(spread_of_moods(a), spread_of_moods(b), SAME)
    if abs(found.quicker - 1) <= spread:
        return f"A and B are equally quick ({found.name}, within {100 * spread:.0f} %)."
    slower = found.quicker < 1
    ratio = 1 / found.quicker if slower else found.quicker
    return f"B is {ratio:.2g} times {'slower' if slower else 'quicker'} than A ({found.name})."


def spread_of_moods(passport: JsonValues) -> float:
    """Half the range of the middle half of the repeated measurement, over its median."""
    walls = sorted(value for row in passport.rows("moods") if (value := row.number("wall")))
    if len(walls) < 4 or walls[len(walls) // 2] <= 0:
        return 0.0
    low, middle, high = (walls[len(walls) * quarter // 4] for quarter in (1, 2, 3))
    return (high - low) / 2 / middle


def bits_sentence(a: JsonValues, b: JsonValues) -> str:
    """Whether the reference runs have the same weights and losses."""

    def found(passport: JsonValues) -> dict[tuple[str, str], tuple[str, str]]:
        return {
            (row.text("model"), row.text("threads")): (row.text("weights"), row.text("losses"))
            for row in passport.rows("reference")
        }

    ours, theirs = found(a), found(b)
    common = sorted(ours.keys() & theirs.keys())
    differing = [key for key in common if ours[key] != theirs[key]]
    if not common:
        return "The passports have no reference run in common, so their bits cannot be compared."
    if not differing:
        return (
            f"Same bits: all {len(common)} reference runs in common have equal weights and losses."
        )
    named = ", ".join(f"{model} with {threads} threads" for model, threads in differing)
    return f"Other bits: {len(differing)} of {len(common)} reference runs differ ({named})."


def low_precision_sentences(a: JsonValues, b: JsonValues) -> Iterator[str]:
    """Where one machine has instructions for a precision, and the other emulates it."""
    for letter, passport in (("A", a), ("B", b)):
        for row in passport.rows("low_precision"):
            ratio, native = row.number("ratio"), row.flag("native")
            if native is False and ratio is not None:
                yield (
                    f"The {row.text('precision')} of {letter}'s {row.text('device')} is emulated:"
                    f" {ratio:.2g} times the speed of fp32."
                )


def alarm_sentences(a: JsonValues, b: JsonValues) -> Iterator[str]:
    """What either was warned of, which puts its figures in doubt."""
    for letter, passport in (("A", a), ("B", b)):
        checks = list(dict.fromkeys(row.text("check") for row in alarms(passport)))
        if checks:
            yield f"{letter} was measured with alarms: {', '.join(checks)}."


def alarms(passport: JsonValues) -> list[JsonValues]:
    """The findings that something is wrong."""
    return [row for row in passport.rows("findings") if row.text("advice")]


def facts(passport: JsonValues) -> dict[str, str]:
    """What a machine is, by name."""
    machine = ("machine",)
    found = {
        "processor": passport.text(*machine, "processor", "name"),
        "usable cores": passport.text(*machine, "cores", "usable"),
        "threads": passport.text(*machine, "threads"),
        "capability": passport.text(*machine, "capability", "used"),
        "instructions": " ".join(passport.texts(*machine, "flags")),
        "system": passport.text(*machine, "system"),
        "Python": passport.text(*machine, "python"),
        "torch": passport.text(*machine, "torch", "version"),
        "BLAS": passport.text(*machine, "torch", "blas"),
        "MKL": passport.text(*machine, "torch", "mkl"),
        "oneDNN": passport.text(*machine, "torch", "onednn"),
        "devices": ", ".join(passport.texts(*machine, "devices")),
        "mnist-trainer": passport.text("version"),
    }
    return found | {f"${name}": value for name, value in passport.pairs(*machine, "variables")}


def differing_facts(a: JsonValues, b: JsonValues) -> Iterator[tuple[str, str, str]]:
    """The facts in which two machines differ."""
    ours, theirs = facts(a), facts(b)
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name, "") != theirs.get(name, ""):
            yield name, ours.get(name) or DASH, theirs.get(name) or DASH
