"""A sweep from a file: the question that it asks, and its jobs in blocks.

The file may come from somebody else. What it holds becomes overrides, which are held to all that a
configuration file is held to. No torch here: a mistake is answered before it is imported.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader

from mnist_trainer.errors import ConfigError, DataError
from mnist_trainer.launch.options import escaped
from mnist_trainer.launch.overrides import Axis, each_value, key_of, parse_overrides
from mnist_trainer.launch.paired import Row
from mnist_trainer.runs.read import flatten, read_yaml
from mnist_trainer.system.messages import nearest
from mnist_trainer.system.paths import user_path

KEY = "sweep_file"
JOBS = ("settings", "sweep", "paired")
PARTS = ("question", *JOBS, "blocks")
OF_A_BLOCK = ("name", *JOBS)
EXAMPLES = {
    "settings": "settings: {trainer.epochs: 3}",
    "sweep": "sweep: {optimizer.lr: [0.01, 0.1], seed: range(3)}",
    "paired": "paired: [{model: fcn, optimizer.lr: 0.1}, {model: cnn, optimizer.lr: 0.05}]",
    "blocks": "blocks: [{settings: {model: fcn}}, {settings: {model: cnn}}]",
}
MAX_BYTES = 256 * 1024
MAX_QUESTION = 300
# What chooses the command rather than its jobs; places are refused once the jobs are composed.
COMMAND_KEYS = ("sweep", KEY, "resume", "resume_allow_changes", "reproduce", "reproduce_seeds")
SETTING = re.compile(r"\+{0,2}[A-Za-z_][\w./@-]*")
PLAIN = re.compile(r"[\w./+-]+", re.ASCII)
"""Text that Hydra's grammar takes as it is."""


@dataclass(frozen=True)
class Block:
    """Jobs that are all combinations of some axes."""

    name: str
    """How messages call it."""
    axes: tuple[Axis, ...]

    def without(self, keys: Collection[str]) -> "Block":
        """The block without some settings, which were typed on the command line."""
        left = (axis.without(keys) for axis in self.axes)
        return Block(self.name, tuple(axis for axis in left if axis.rows != ((),)))


@dataclass(frozen=True)
class SweepFile:
    """A checked sweep file."""

    path: Path
    question: str | None
    blocks: tuple[Block, ...]

    def without(self, keys: Collection[str]) -> "SweepFile":
        """What is typed on the command line prevails over the file."""
        return SweepFile(self.path, self.question, tuple(b.without(keys) for b in self.blocks))


def read_sweep_file(name: str, loader: ConfigLoader | None = None) -> SweepFile:
    """Read and check a sweep file.

    Args:
        loader: knows the choices that a glob stands for.

    Raises:
        ConfigError: it cannot be read, or names everything in it that is wrong.
    """
    asked = f"{KEY}={name}"
    path = user_path(name, asked)
    try:
        content = read_yaml(path, MAX_BYTES)
    except DataError as error:
        raise ConfigError(f"{asked}: {error}") from error
    reader = _Reader(loader)
    found = reader.read(content, path)
    if reader.problems:
        raise ConfigError("\n".join(f"{asked}: {problem}" for problem in reader.problems))
    return found


class _Reader:
    """Reads the parts of a sweep file, and collects what is wrong with them."""

    def __init__(self, loader: ConfigLoader | None) -> None:
        self.loader = loader
        self.problems: list[str] = []

    def read(self, content: Any, path: Path) -> SweepFile:
        if not isinstance(content, dict) or not content:
            self.problems.append(f"holds no sweep. It may have: {', '.join(PARTS)}")
            return SweepFile(path, None, ())
        self._known(content, PARTS, "")
        question = self._text(content, "question")
        shared = self._axes({key: content[key] for key in JOBS if key in content}, "")
        given = content.get("blocks", [{}])
        if not isinstance(given, list) or not given:
            self.problems.append(_must_be("blocks", "a list of blocks"))
            given = [{}]
        blocks = [self._block(block, place, shared) for place, block in enumerate(given, start=1)]
        return SweepFile(path, question, tuple(blocks))

    def _block(self, block: Any, place: int, shared: Sequence[Axis]) -> Block:
        """A block, with what all blocks share and it does not set itself."""
        name = f"block {place}"
        if not isinstance(block, dict):
            self.problems.append(f"{name}: {_must_be('blocks', 'a list of mappings')}")
            return Block(name, ())
        if given := self._text(block, "name", f"{name}: "):
            name = f"{name} ({given})"
        self._known(block, OF_A_BLOCK, f"{name}: ")
        axes = self._axes(block, f"{name}: ")
        rest = Block(name, tuple(shared)).without({key for axis in axes for key in axis.keys}).axes
        # What all blocks are repeated over changes fastest, such as the seed.
        fixed, swept = ([a for a in rest if a.is_swept is flag] for flag in (False, True))
        return Block(name, (*fixed, *axes, *swept))

    def _known(self, given: Mapping[Any, Any], known: Sequence[str], where: str) -> None:
        self.problems += [
            f"{where}{key} is no part of a sweep file here.{nearest(str(key), known)} Valid:"
            f" {', '.join(known)}. Settings of the runs stand below settings, sweep or paired."
            for key in given
            if key not in known
        ]

    def _text(self, given: Mapping[Any, Any], key: str, where: str = "") -> str | None:
        """A line of text, its white space made single; None where there is none."""
        value = given.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_QUESTION:
            self.problems.append(
                f"{where}{key}: must be text of at most {MAX_QUESTION} characters, such as"
                f' {key}: "Does a wider network need a lower rate?"'
            )
            return None
        return " ".join(value.split())

    def _axes(self, given: Mapping[Any, Any], where: str) -> list[Axis]:
        """The axes of a block: fixed settings, rows of paired ones, then the product."""
        axes = [
            *self._fixed(self._mapping(given, "settings", where), where),
            *self._paired(given.get("paired"), where),
            *self._product(self._mapping(given, "sweep", where), where),
        ]
        keys = [key for axis in axes for key in axis.keys]
        self.problems += [
            f"{where}{key} is set more than once. Name it in one of: {', '.join(JOBS)}"
            for key in dict.fromkeys(key for key in keys if keys.count(key) > 1)
        ]
        return axes

    def _mapping(self, given: Mapping[Any, Any], part: str, where: str) -> dict[str, Any]:
        """The settings below a part, nested ones by dotted keys."""
        value = given.get(part)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problems.append(where + _must_be(part, "a mapping of settings"))
            return {}
        return self._checked_keys(value, where)

    def _checked_keys(self, value: Mapping[Any, Any], where: str) -> dict[str, Any]:
        flat = flatten(value)
        wrong = {key: problem for key in flat if (problem := _key_problem(key))}
        self.problems += [f"{where}{problem}" for problem in wrong.values()]
        return {key: each for key, each in flat.items() if key not in wrong}

    def _fixed(self, settings: Mapping[str, Any], where: str) -> Iterator[Axis]:
        for key, value in settings.items():
            if word := self._word(key, value, where):
                yield Axis(((word,),), False)

    def _paired(self, rows: Any, where: str) -> Iterator[Axis]:
        if rows is None:
            return
        if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
            self.problems.append(where + _must_be("paired", "a list of rows"))
            return
        yield Axis(tuple(self._row(row, where) for row in rows), True)

    def _row(self, row: Mapping[Any, Any], where: str) -> Row:
        settings = self._checked_keys(row, where)
        words = (self._word(key, value, where) for key, value in settings.items())
        return tuple(word for word in words if word)

    def _product(self, settings: Mapping[str, Any], where: str) -> Iterator[Axis]:
        for key, values in settings.items():
            if isinstance(values, list) and values:
                each = (self._word(key, value, where) for value in values)
                yield Axis(tuple((word,) for word in each if word), True)
            elif words := self._written_out(key, values):
                yield Axis(tuple((word,) for word in words), True)
            else:
                self.problems.append(
                    f"{where}sweep: {key}: {values}: must be a list or a range of values, such as"
                    f" {EXAMPLES['sweep']}. One value belongs below settings."
                )

    def _written_out(self, key: str, values: Any) -> list[str]:
        """The overrides that Hydra's own notation stands for, such as ``range(3)``."""
        if not isinstance(values, str):
            return []
        try:
            (override,) = parse_overrides([f"{key}={values}"], self.loader)
        except ConfigError:
            return []
        return each_value(override) if override.is_discrete_sweep() else []

    def _word(self, key: str, value: Any, where: str) -> str | None:
        """The override that sets one value; None, and a problem noted, where none does."""
        word = f"{key}={_typed(value)}"
        try:
            (override,) = parse_overrides([word])
        except ConfigError as error:
            if not isinstance(value, str):
                self.problems.append(f"{where}{error}")
                return None
            return f'{key}="{escaped(value)}"'
        if override.is_sweep_override():
            self.problems.append(
                f"{where}{word}: several values, where one is needed. Several belong below sweep:"
                f" {EXAMPLES['sweep']}"
            )
            return None
        return word


def _must_be(part: str, kind: str) -> str:
    return f"{part} must be {kind}, such as {EXAMPLES[part]}"


def _key_problem(key: str) -> str | None:
    """What is wrong with a setting that a sweep file names; None where nothing is."""
    name = key_of(key)
    if not SETTING.fullmatch(key):
        return f"{key!r} is not the name of a setting. Write it as one types it: optimizer.lr: 0.1"
    if name == "hydra" or name.startswith(("hydra.", "hydra/")):
        return f"{key}: a sweep file may not set this; type it on the command line: {name}=..."
    if name in COMMAND_KEYS:
        return (
            f"{key}: belongs to the command, not to its runs; type it on the command line:"
            f" {name}=..."
        )
    return None


def _typed(value: Any) -> str:
    """A value as one types it, before quotes that its text may need."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(_quoted(each) for each in value)}]"
    if isinstance(value, dict):
        inner = (f"{key}:{_quoted(each)}" for key, each in value.items())
        return f"{{{','.join(inner)}}}"
    return str(value) or '""'


def _quoted(value: Any) -> str:
    """A value inside a list, where text needs its quotes."""
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        return f'"{escaped(value)}"'
    return _typed(value)
