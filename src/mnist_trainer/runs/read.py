"""Read the files of a run folder as data: bounded in size and depth, from regular files only.

A run folder may come from somebody else. A FIFO in place of a file would be waited for without
end, a YAML document of aliases grows as it is expanded, and one of 100,000 brackets overflows the
stack of its parser.
"""

import contextlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mnist_trainer.errors import DataError

MAX_TEXT_BYTES = 4 * 2**20
MAX_DEPTH = 64
MAX_DIGITS = 300
"""Any number of so many digits can be turned into a float."""


class UnreadableFileError(DataError):
    """A file that is missing, too large, not a regular file, or not in its format."""


def read_file(path: Path, max_bytes: int | None = None) -> bytes:
    """The content of a regular file.

    Args:
        max_bytes: a larger file is refused without reading it; None reads all.

    Raises:
        UnreadableFileError: missing, not a regular file, too large, or unreadable.
    """
    try:
        # Without O_NONBLOCK the opening of a FIFO waits for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFileError(f"{path}: cannot be read: {reason}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFileError(f"{path}: not a regular file.")
        if max_bytes is not None and status.st_size > max_bytes:
            raise UnreadableFileError(
                f"{path}: {status.st_size:,} bytes, more than the {max_bytes:,} that are read."
            )
        with os.fdopen(os.dup(handle), "rb") as file:
            # The file may have grown since it was asked for its size.
            return file.read(max_bytes)
    except OSError as error:
        raise UnreadableFileError(f"{path}: cannot be read: {error.strerror}") from error
    finally:
        os.close(handle)


def read_json(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Any:
    """A JSON document: no NaN, no infinities, no number of more than 300 digits.

    Raises:
        UnreadableFileError: missing, too large, too deep, or not JSON.
    """
    text = _read_text(path, max_bytes)
    try:
        return parse_json(text)
    except ValueError as error:
        raise UnreadableFileError(f"{path}: not valid JSON: {_reason(error)}") from error


def parse_json(text: str) -> Any:
    """The value of a JSON document, as for ``read_json``.

    Raises:
        ValueError: it is not JSON, too deep, or holds a number that is none.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float
        )
    except RecursionError as error:
        raise ValueError(f"nested more than {MAX_DEPTH} deep") from error
    _check_depth(value)
    return value


def read_yaml(path: Path, max_bytes: int = MAX_TEXT_BYTES) -> Any:
    """A YAML document of plain values, without aliases.

    Raises:
        UnreadableFileError: missing, too large, too deep, with aliases, or not YAML.
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    text = _read_text(path, max_bytes)
    try:
        _check_yaml_tokens(text)
        # OmegaConf, which wrote it, reads 1e-05 as a number; interpolations stay text.
        return OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except (ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UnreadableFileError(f"{path}: not valid YAML: {_reason(error)}") from error


def _read_text(path: Path, max_bytes: int) -> str:
    try:
        return read_file(path, max_bytes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{path}: not text in UTF-8.") from error


def _check_yaml_tokens(text: str) -> None:
    """Raise ``ValueError`` for aliases and for nesting that would overflow the parser's stack.

    The scanner is not recursive: it sees the nesting that the parser would fail at.
    """
    import yaml

    opening = (
        yaml.BlockMappingStartToken,
        yaml.BlockSequenceStartToken,
        yaml.FlowMappingStartToken,
        yaml.FlowSequenceStartToken,
    )
    closing = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
    depth = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for token in yaml.scan(text, Loader=loader):
        if isinstance(token, yaml.AliasToken):
            raise ValueError("aliases are not read")
        depth += isinstance(token, opening) - isinstance(token, closing)
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        if isinstance(token, yaml.ScalarToken) and re.fullmatch(
            rf"[-+]?[\d_]{{{MAX_DIGITS},}}", token.value
        ):
            raise ValueError(f"a number of more than {MAX_DIGITS:,} digits")


def _check_depth(value: Any) -> None:
    waiting = [(value, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"nested more than {MAX_DEPTH} deep")
        children = node.values() if isinstance(node, dict) else node
        if isinstance(node, dict | list):
            waiting += [(child, depth + 1) for child in children]


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON has")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS:,} digits")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text[:20]} is too large for a number")
    return value


def _reason(error: Exception) -> str:
    with contextlib.suppress(IndexError):
        return str(error).splitlines()[0]
    return type(error).__name__


def number(value: object) -> float | None:
    """The value if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def flatten(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one dictionary with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        nested = isinstance(value, Mapping) and bool(value)
        flat |= flatten(value, f"{name}.") if nested else {name: value}
    return flat
