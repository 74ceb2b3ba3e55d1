"""Find the runs that a user names: a run folder, a folder with runs below it, or a pattern."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.read.records import RunRecord, read_run
from mnist_trainer.runs.folder import RUN_MARKS, START_MARKS, display_path
from mnist_trainer.runs.latest import run_path
from mnist_trainer.system.paths import real_path

SUCH_AS = "Name the folder of a run or of a sweep, such as outputs/latest or outputs/multirun/NAME."


def find_runs(asked: str) -> list[RunRecord]:
    """The runs that a word of the command line names, in natural order of their paths.

    Raises:
        ConfigError: there is no such folder, or no run in it.
    """
    folders: dict[Path, None] = {}
    for place in _places(asked):
        folders |= dict.fromkeys(_run_folders(place))
    if not folders:
        raise ConfigError(
            f"{asked}: holds no run: no {', '.join(RUN_MARKS[:3])} in it or below it.\n{SUCH_AS}"
        )
    return [read_run(folder) for folder in sorted(folders, key=_natural)]


def is_run(path: Path) -> bool:
    """Whether the folder is that of a run."""
    return any((path / mark).is_file() for mark in START_MARKS)


def merge(parts: Sequence[Sequence[RunRecord]]) -> list[RunRecord]:
    """All runs, each once."""
    return list({run.folder.path: run for part in parts for run in part}.values())


def _places(asked: str) -> list[Path]:
    """The folders that a word names: an existing file or folder first, else a pattern."""
    if "\0" in asked or not asked.strip():
        raise ConfigError(f"{asked!r}: not the name of a folder. {SUCH_AS}")
    path = run_path(asked)
    if path.is_dir():
        return [real_path(path)]
    if path.is_file():
        return [_run_of_file(real_path(path), asked)]
    if not re.search(r"[*?[]", asked):
        raise ConfigError(f"{asked}: there is no such folder. {SUCH_AS}{_near(path)}")
    try:
        found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    except (ValueError, NotImplementedError) as error:
        raise ConfigError(f"{asked}: not a pattern: {error}.") from error
    places = [real_path(each) for each in found if each.is_dir()]
    if not places:
        raise ConfigError(f"{asked}: nothing matches this pattern. {SUCH_AS}{_near(path)}")
    return places


def _run_of_file(path: Path, asked: str) -> Path:
    """The run that a file belongs to, such as its result.json or a checkpoint."""
    for parent in list(path.parents)[:2]:
        if is_run(parent):
            return parent
    raise ConfigError(f"{asked}: a file, which belongs to no run. {SUCH_AS}")


def _near(path: Path) -> str:
    """The folders that are in the place of a missing one."""
    if not path.parent.is_dir():
        return ""
    names = sorted(each.name for each in path.parent.iterdir() if each.is_dir())[:8]
    return f"\n{display_path(path.parent)} has: {', '.join(names)}" if names else ""


def _run_folders(path: Path) -> Iterator[Path]:
    """The folder itself if it is a run's, else run folders below it; links are not followed."""
    for place, names, _ in os.walk(path):
        if is_run(Path(place)):
            names.clear()
            yield Path(place)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Sort key: 2-x before 10-x."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"(\d+)", str(path))
        if part
    ]
