"""Read what a run folder holds of the code: the patch of uncommitted changes, and the copies of
the user's configuration files. Links are not followed."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mnist_trainer.errors import DataError
from mnist_trainer.runs.folder import RunFolder, display_path
from mnist_trainer.runs.read import read_file

MAX_BYTES = 1_000_000
"""Of one file: larger ones are not written by a run."""
MAX_FILES = 100


@dataclass(frozen=True)
class RunCode:
    """Texts of a run folder, by name; a patch has a text for each file that it touches."""

    patch: dict[str, str] = field(default_factory=dict)
    config_files: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What is there and cannot be read."""


def read_code(folder: RunFolder) -> RunCode:
    """Read the patch and the copies of configuration files; what is missing is empty."""
    notes: list[str] = []
    copies = {
        path.relative_to(folder.config_files).as_posix(): text
        for path in itertools.islice(_files(folder.config_files), MAX_FILES)
        if (text := _text(path, notes)) is not None
    }
    return RunCode(split_patch(_text(folder.patch, notes) or ""), copies, tuple(notes))


def split_patch(patch: str) -> dict[str, str]:
    """The part of a patch of git for each file, by the file's name after the change."""
    parts: dict[str, list[str]] = {}
    name = "code.patch"
    for line in patch.splitlines():
        if line.startswith("diff --git "):
            # Names that hold " b/" themselves are cut; they stay different from each other.
            name = line.partition(" b/")[2] or line.removeprefix("diff --git ")
        parts.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder, in the order of their names."""
    if folder.is_symlink():
        return
    for place, names, files in os.walk(folder):
        names.sort()
        yield from (Path(place, name) for name in sorted(files))


def _text(path: Path, notes: list[str]) -> str | None:
    if not os.path.lexists(path):
        return None
    try:
        if path.is_symlink():
            raise DataError(f"{path}: a link, which leads out of the run folder.")
        return read_file(path, MAX_BYTES).decode("utf-8", "replace")
    except DataError as error:
        reason = str(error).removeprefix(f"{path}: ").removeprefix("cannot be read: ")
        notes.append(f"{display_path(path)}: cannot be read: {reason}")
        return None
