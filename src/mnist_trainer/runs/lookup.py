"""Find the run folder and the checkpoint that a user names.

No torch here: a mistake is answered before it is imported.
"""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from mnist_trainer.errors import CheckpointError, ConfigError, DataError
from mnist_trainer.runs.folder import RunFolder, display_path, is_run_folder
from mnist_trainer.runs.latest import find_latest, last_start, run_path, runs_below
from mnist_trainer.runs.read import read_yaml
from mnist_trainer.runs.result import is_completed
from mnist_trainer.system.paths import real_path, user_path

MAX_NAMED = 6
"""Runs that a message lists."""


@dataclass(frozen=True)
class Located:
    """A checkpoint on disk, and the run that it belongs to."""

    checkpoint: Path
    folder: RunFolder | None
    """None for a checkpoint file that lies outside of any run folder."""
    note: str | None
    """For the user: why another checkpoint is used than the one asked for."""

    @property
    def home(self) -> Path:
        """Where files about this checkpoint go: the run folder, else the folder of the file."""
        return self.folder.path if self.folder else self.checkpoint.parent


def locate_checkpoint(run: str | Path, checkpoint: str | Path | None = None) -> Located:
    """Find the checkpoint that a user names.

    Args:
        run: a run folder, a checkpoint file, or ``latest``.
        checkpoint: ``best``, ``last`` or a path; None is the one that the run itself has tested.

    Raises:
        ConfigError: there is no such run.
        CheckpointError: the run has no such checkpoint.
    """
    if not str(run):
        raise ConfigError(
            "'': not a path: it is empty. Name a run's folder, such as outputs/latest."
        )
    if "\0" in f"{run}{checkpoint or ''}":
        raise ConfigError(f"{str(run)!r}: not a path: it holds a NUL.")
    path = run_path(str(run))
    if path.is_file():
        if checkpoint is not None:
            raise ConfigError(
                f"{path} is a checkpoint itself: name its run's folder, or leave out the checkpoint"
                f" {checkpoint}."
            )
        return Located(path, run_of(path), None)
    folder = find_run_folder(path)
    if checkpoint is None or str(checkpoint) in ("best", "last"):
        return _choose(folder, None if checkpoint is None else str(checkpoint))
    return Located(
        _named_checkpoint(folder, user_path(str(checkpoint), f"--checkpoint {checkpoint}")),
        folder,
        None,
    )


def run_of(checkpoint: Path) -> RunFolder | None:
    """The run folder in which a checkpoint lies; None where it lies elsewhere."""
    parent = real_path(checkpoint).parent
    inside = parent.name == "checkpoints" and is_run_folder(parent.parent)
    return RunFolder(parent.parent) if inside else None


def find_run_folder(path: Path) -> RunFolder:
    """Find the run folder at a path.

    Raises:
        ConfigError: there is none; names the runs that are nearby.
    """
    if path.name == "checkpoints" and path.is_dir():
        path = path.parent
    if path.is_dir() and is_run_folder(path):
        return RunFolder(real_path(path))
    raise ConfigError(f"{path}: {_folder_problem(path)}")


def _folder_problem(path: Path) -> str:
    """Why a path is not a run folder."""
    if path.is_symlink() and not path.exists():
        # Not Path.resolve, which raises of a loop.
        target = Path(os.path.realpath(path))
        if target.is_symlink():
            return "a link that leads back to itself. Name a run's folder."
        return f"the link leads to {target}, which is gone. Name a run's folder."
    if not path.exists():
        return f"there is no such folder or file.{_near(path)}"
    if not path.is_dir():
        return "neither a run's folder nor a checkpoint."
    runs = sorted(runs_below(path), key=last_start, reverse=True)
    if not runs:
        return f"not the folder of a run: it holds no config.yaml and no checkpoints.{_latest()}"
    lines = [f"  {display_path(run)}" for run in runs[:MAX_NAMED]]
    if len(runs) > MAX_NAMED:
        lines.append(f"  ... and {len(runs) - MAX_NAMED} more")
    return "\n".join(["not a run, but a folder that holds some. Name one of them:", *lines])


def _named_checkpoint(folder: RunFolder, asked: Path) -> Path:
    """A checkpoint by its path, as seen from here, from the run folder or among its checkpoints."""
    for candidate in (asked, folder.path / asked, folder.checkpoints / asked):
        if candidate.is_file():
            return candidate
    kept = sorted(path.name for path in folder.checkpoints.glob("*.pt"))
    short = [name for name in ("best", "last") if f"{name}.pt" in kept]
    hint = f" Type {' or '.join(short)}." if short else ""
    raise CheckpointError(
        f"{asked}: there is no such checkpoint. This run has: {', '.join(kept) or 'none'}.{hint}"
    )


def _choose(folder: RunFolder, asked: str | None) -> Located:
    """The best or last checkpoint: the one that was asked for, else the one that the run tests."""
    paths = {name: folder.checkpoints / f"{name}.pt" for name in ("best", "last")}
    kept = [name for name, path in paths.items() if path.is_file()]
    if not kept:
        raise CheckpointError(
            f"{folder}: this run has no checkpoint yet: one is written after each epoch.\n"
            f"Let it train on, or start it again: mnist-train resume={folder}"
        )
    wanted = asked or ("last" if _tests_last(folder) else "best")
    used = wanted if wanted in kept else kept[0]
    note = None
    if used != wanted == "last":
        note = "last.pt is missing, so best.pt is used"
    elif not is_completed(folder.result):
        note = _unfinished_note(wanted, used, asked)
    elif used != wanted and asked:
        note = "this run selects no best checkpoint, so the last one is used"
    return Located(paths[used], folder, note)


def _unfinished_note(wanted: str, used: str, asked: str | None) -> str | None:
    if used != wanted:
        return "this run has not finished; it has no best checkpoint yet, so the last one is used"
    if used == "last" and asked is None:
        return "this run has not finished; its last checkpoint is used"
    return None


def _tests_last(folder: RunFolder) -> bool:
    """Whether ``trainer.test_weights`` of the run is ``last``."""
    try:
        return bool(read_yaml(folder.config)["trainer"]["test_weights"] == "last")
    except (DataError, KeyError, TypeError):
        return False  # The checkpoint holds the configuration as well, and is going to be verified.


def _near(path: Path) -> str:
    """Propose an existing folder of similar name."""
    parent = next((ancestor for ancestor in path.parents if ancestor.is_dir()), None)
    if parent is None:
        return _latest()
    wanted = path.relative_to(parent).parts[0]
    try:
        names = [each.name for each in parent.iterdir() if each.is_dir()]
    except OSError:
        return _latest()
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
    return f" Did you mean {parent / close[0]}?" if close else _latest()


def _latest() -> str:
    newest = find_latest()
    return (
        f" The newest run from here, latest, is {display_path(newest)}."
        if newest
        else " Train one first: mnist-train"
    )
