"""The newest run, by the name ``latest``.

``outputs/latest`` is a file of one line, the folder of the run: no link, which some file systems
lack, and which TensorBoard follows, so that it would show the run twice.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from mnist_trainer.errors import DataError, MachineError
from mnist_trainer.runs.folder import OUTPUTS, RunFolder, is_run_folder
from mnist_trainer.runs.read import read_file, read_yaml
from mnist_trainer.system.files import atomic_write
from mnist_trainer.system.paths import real_path, user_path

NAME = Path("latest")
RECORD = OUTPUTS / NAME
MAX_SEEN = 2000
"""Folders that are looked at for runs, so that a mistyped ``/`` is answered at once."""
DEPTH = 3
"""How deep below the named folder runs are looked for: outputs/multirun/<sweep>/<job>."""


def record_latest(folder: RunFolder) -> None:
    """Name the folder in ``outputs/latest``, atomically; a run goes on where that cannot be."""
    if not OUTPUTS.is_dir() or (RECORD.is_dir() and not RECORD.is_symlink()):
        return
    parent = real_path(OUTPUTS).parent
    is_below = folder.path.is_relative_to(parent)
    named = folder.path.relative_to(parent) if is_below else folder.path
    with contextlib.suppress(MachineError), atomic_write(RECORD) as file:
        file.write(f"{named.as_posix()}\n".encode())


def find_latest() -> Path | None:
    """The newest run of ``outputs``: the one recorded, else by the times of the folders."""
    here = real_path(OUTPUTS).parent
    with contextlib.suppress(DataError, ValueError):
        is_link = RECORD.is_dir()  # Of version 0.1.
        named = RECORD if is_link else here / read_file(RECORD, 4096).decode().strip()
        recorded = real_path(named)
        if is_run_folder(recorded) and (recorded.is_relative_to(here) or is_from(here, recorded)):
            return recorded
    return max(runs_below(OUTPUTS), key=last_start, default=None)


def is_from(here: Path, run: Path) -> bool:
    """Whether a run says itself that it was started in a working directory.

    The record may be somebody else's, and name a folder that has nothing to do with it.
    """
    with contextlib.suppress(DataError, KeyError, TypeError):
        hydra = read_yaml(run / ".hydra" / "hydra.yaml")
        return real_path(Path(hydra["hydra"]["runtime"]["cwd"])) == here
    return False


def last_start(run: Path) -> float:
    """When the run was started or resumed: reports that were added later do not count."""
    config = run / "config.yaml"
    return (config if config.exists() else run).stat().st_mtime


def run_path(text: str, asked: str | None = None) -> Path:
    """The path of a run that a user typed, or of a file in it; ``latest`` and ``outputs/latest``
    stand for the newest run.

    Args:
        asked: as of ``user_path``.

    Raises:
        ConfigError: it cannot be the path of anything.
    """
    path = user_path(text, asked)
    names = [RECORD] if NAME.exists() else [NAME, RECORD]
    for name in (*names, *(name.absolute() for name in names)):
        if path.is_relative_to(name) and (newest := find_latest()):
            return newest / path.relative_to(name)
    return path


def runs_below(folder: Path) -> Iterator[Path]:
    """The run folders below a folder; hidden folders and links are not followed."""
    for place, names, _ in itertools.islice(os.walk(folder), MAX_SEEN):
        path = Path(place)
        is_run = path != folder and is_run_folder(path)
        if is_run:
            yield path
        is_deep = len(path.relative_to(folder).parts) >= DEPTH
        kept = [] if is_run or is_deep else [name for name in names if name[:1] != "."]
        names[:] = sorted(kept, reverse=True)  # Of dates the newest come first.
