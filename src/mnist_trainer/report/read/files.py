"""Read JSON and YAML of unknown origin. What cannot be read becomes a note, not an error."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mnist_trainer.errors import DataError
from mnist_trainer.runs import read
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.record_layout import record_problem

MAX_BYTES = 64 * 2**20
"""Of a log or a configuration that is shown."""


def read_text(path: Path) -> str:
    """Text of a file; empty where it cannot be read."""
    try:
        return read.read_file(path, MAX_BYTES).decode("utf-8", "replace")
    except DataError:
        return ""


def read_json(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """A JSON object; None where there is none, with a note unless the file is missing."""
    content = _read(read.read_json, path, notes)
    if content is None or isinstance(content, dict):
        return content
    notes.append(f"{display_path(path)}: cannot be read: it holds no JSON object")
    return None


def read_record(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """A result.json or job.json; None where there is none, with a note where it is not one."""
    content = read_json(path, notes)
    if content is not None and (problem := record_problem(content)):
        notes.append(f"{display_path(path)}: cannot be read: {problem}")
        return None
    return content


def read_yaml(path: Path, notes: list[str]) -> Any:
    """Plain values of a YAML file; None where there are none, with a note as for JSON."""
    return _read(read.read_yaml, path, notes)


def _read(reader: Callable[[Path], Any], path: Path, notes: list[str]) -> Any:
    if not path.exists():
        return None
    try:
        return reader(path)
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ")
        notes.append(f"{display_path(path)}: cannot be read: {reason}")
        return None


def below(values: Any, *keys: str) -> dict[Any, Any]:
    """The dictionary at nested keys; empty where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}
