"""Read JSON and YAML of unknown origin. What cannot be read becomes a note, not an error."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from mnist_trainer.runs.folder import display_path

T = TypeVar("T")


def read_text(path: Path) -> str:
    """Text of a file; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_json(path: Path, notes: list[str]) -> dict[str, Any] | None:
    """A JSON object; None where there is none, with a note unless the file is missing."""

    def parse(text: str) -> dict[str, Any]:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("it holds no JSON object")
        return content

    return _read(path, parse, notes)


def read_yaml(path: Path, notes: list[str]) -> Any:
    """Plain values of a YAML file; None where there are none, with a note as for JSON."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def parse(text: str) -> Any:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=loader)):
            raise ValueError("it holds aliases, by which a small file becomes a huge one")
        return yaml.load(text, loader)  # noqa: S506 - a safe loader: tags build no objects

    return _read(path, parse, notes)


def _read(path: Path, parse: Callable[[str], T], notes: list[str]) -> T | None:
    if not path.is_file():
        return None
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        notes.append(f"{display_path(path)}: cannot be read: {str(error).splitlines()[0]}")
        return None


def below(values: Any, *keys: str) -> dict[Any, Any]:
    """The dictionary at nested keys; empty where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def flatten(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return flat


def number(value: object) -> float | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
