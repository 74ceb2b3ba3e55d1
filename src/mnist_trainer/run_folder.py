"""Names and layout of a run folder, and the one way in which files that matter are written."""

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from mnist_trainer.errors import ConfigError, MachineError

OUTPUTS = Path("outputs")
ELSEWHERE = "hydra.run.dir=PATH"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NAME_LIMIT = 100
"""Longest name of a folder, in characters; file systems allow 255 bytes."""

# Any of these in a folder means that a run has been here.
RUN_MARKS = ("config.yaml", "metrics.jsonl", "result.json", "checkpoints")


@contextlib.contextmanager
def atomic_write(path: Path, needed: int | None = None, *, elsewhere: str = ELSEWHERE) -> Iterator[BinaryIO]:
    """A binary file that appears under its name whole and on disk, or not at all.

    Writes to a temporary file in the same folder, flushes it to disk, renames it over ``path`` and flushes the folder,
    so that a crash at any instant leaves the old file or the new one.

    Args:
        needed: bytes that are going to be written, for the message where they do not fit.
        elsewhere: what a user types to have it written to another place.

    Raises:
        MachineError: the file could not be written; nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path) as file:
            yield file
    except OSError as error:
        raise write_failure(path, error, needed, elsewhere) from error


def write_named_file(path: Path, content: bytes, elsewhere: str) -> None:
    """Write a file that a user named, whatever is there: a plain file whole or not at all, anything else as a stream.

    Of a link the target is written and the link stays; a pipe, a FIFO or a device is written into and stays what it is.
    No folder is made.

    Args:
        elsewhere: what a user types to have it written to another place.

    Raises:
        MachineError: the file could not be written.
        BrokenPipeError: whoever read from it went away.
    """
    is_stream = False
    try:
        place = Path(os.path.realpath(path))
        # Names such as /dev/fd/63 lead to what has no name of its own, so the name as it was given is asked.
        with contextlib.suppress(FileNotFoundError):
            is_stream = not (stat.S_ISREG(path.stat().st_mode) and place.exists() and path.samefile(place))
        with _stream(path) if is_stream else _replacing(place) as file:
            file.write(content)
    except BrokenPipeError:
        raise
    except OSError as error:
        space = ""
        if error.errno in NO_SPACE and not is_stream:
            space = f" It needs {len(content):,} bytes.{_free_bytes(path)} Free some space, or"
        choose = "choose" if space else "Choose"
        raise MachineError(
            f"{path} could not be written: {error.strerror or error}.{space} {choose} another file with {elsewhere}."
        ) from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A temporary file that takes the name in the end; where anything fails, nothing is left of it."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _fsync_folder(path.parent)
    finally:
        # First of all, so that the free bytes that are told are those without it.
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _stream(path: Path) -> BinaryIO:
    """Something that is there already and is no plain file, opened as it is."""
    # Systems may refuse the flags by which a file is made for a FIFO of somebody else.
    return open(path, "wb", opener=lambda name, flags: os.open(name, flags & ~(os.O_CREAT | os.O_TRUNC)))


def replace_by_link(source: Path, path: Path) -> None:
    """Give a file a second name in one step, replacing what had that name; a copy where links are not to be had.

    Raises:
        MachineError: neither could be made.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        os.replace(temporary, path)
        _fsync_folder(path.parent)
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sweep_temporaries(folder: Path) -> None:
    """Remove what writes that were cut short have left in a folder."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, Any], *, elsewhere: str = ELSEWHERE) -> None:
    """Write a JSON object, indented for people, through ``atomic_write``."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    content = text.encode() + b"\n"
    with atomic_write(path, len(content), elsewhere=elsewhere) as file:
        file.write(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_failure(path: Path, error: OSError, needed: int | None = None, elsewhere: str = ELSEWHERE) -> MachineError:
    """What to tell of a file that could not be written: why, what it needs and what there is, and the way out."""
    free = _free_bytes(path)
    needs = "" if needed is None else f" It needs {needed:,} bytes."
    return MachineError(
        f"{path} could not be written: {error.strerror or error}.{needs}{free}"
        f" Free some space, or choose another place with {elsewhere}."
    )


def _free_bytes(path: Path) -> str:
    try:
        return f" {shutil.disk_usage(path.parent).free:,} bytes are free there."
    except OSError:
        return ""


@dataclass(frozen=True)
class RunFolder:
    """The paths inside one run's folder."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def result(self) -> Path:
        return self.path / "result.json"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.npz"

    @property
    def log(self) -> Path:
        return self.path / "train.log"

    @property
    def profile(self) -> Path:
        return self.path / "profile"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def __str__(self) -> str:
        return display_path(self.path)


def display_path(path: Path) -> str:
    """The path as a user would type it from here: relative where it lies below the working directory."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def claim_run_folder(label: str) -> RunFolder:
    """A new folder ``outputs/<date>/<time>-<label>-<4 hex>`` that no other run has.

    Raises:
        MachineError: the folder cannot be made.
    """
    now = datetime.now()
    day = OUTPUTS / f"{now:%Y-%m-%d}"
    while True:
        folder = day / f"{now:%H-%M-%S}-{safe_name(label)}-{secrets.token_hex(2)}"
        if _make_exclusively(folder):
            return RunFolder(folder.resolve())


def refuse_used_folder(path: Path) -> None:
    """Raises:
    ConfigError: a run has been in this folder.
    """
    if any((path / mark).exists() for mark in RUN_MARKS):
        raise ConfigError(f"hydra.run.dir={path}: this folder already holds a run. Name another, or remove it first.")


def claim_named_folder(path: Path) -> RunFolder:
    """The folder that the user named exactly.

    Raises:
        ConfigError: a run has been there.
        MachineError: the folder cannot be made, or cannot be written to.
    """
    refuse_used_folder(path)
    if not _make_exclusively(path) and not (path.is_dir() and os.access(path, os.W_OK)):
        raise MachineError(f"hydra.run.dir={path}: not a folder that can be written to. Choose another place.")
    return RunFolder(path.resolve())


def claim_sweep_folder(name: str | None) -> Path:
    """The folder of a multirun: the named one, or a new one called by date and time."""
    base = OUTPUTS / "multirun"
    if name is not None:
        folder = base / safe_name(name, "sweep")
        _make_exclusively(folder)
        return folder.resolve()
    stamp = f"{datetime.now():%Y-%m-%d_%H-%M-%S}"
    folder = base / stamp
    while not _make_exclusively(folder):
        folder = base / f"{stamp}-{secrets.token_hex(2)}"
    return folder.resolve()


def _make_exclusively(folder: Path) -> bool:
    """Make the folder; False where there is one already."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except FileExistsError as error:
        if not folder.is_dir():
            raise MachineError(
                f"{folder}: there is a file where a folder is needed. Move it, or set hydra.run.dir=PATH."
            ) from error
        return False
    except OSError as error:
        raise MachineError(
            f"{folder} cannot be made: {error.strerror or error}. Choose another place with hydra.run.dir=PATH."
        ) from error
    return True


def safe_name(name: str, key: str = "name") -> str:
    """A name of a folder that stays inside its parent: separators and other marks become ``_``, overlong is cut.

    Args:
        key: the setting that the name was given by.

    Raises:
        ConfigError: the name holds nothing usable, such as ``..`` or NUL.
    """
    if "\0" in name or not name.strip(". ") or name.strip() != name:
        shown = name if name and name.strip() == name and name.isprintable() else repr(name)
        raise ConfigError(f"{key}={shown}: not usable as the name of a folder. Use letters, digits, '-', '_' and '.'.")
    cleaned = re.sub(r"[^\w.,=+\-]+", "_", name).lstrip(".")
    # Names that are devices on Windows, whatever their ending.
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", cleaned):
        cleaned = f"_{cleaned}"
    return cleaned[:NAME_LIMIT].rstrip(". ") or "_"


def run_label(number: object, overrides: object) -> str:
    """Folder of one job of a sweep: its number, then what sets it apart."""
    return safe_name(f"{number}-{overrides}" if overrides else str(number))


def leading_number(name: str) -> int | None:
    """The number that the folder of a job begins with; None where it begins with none."""
    found = re.match(r"\d+(?=-|$)", name)
    return int(found[0]) if found else None


def point_latest_at(folder: RunFolder) -> None:
    """Make ``outputs/latest`` a link to the folder, replacing the old link in one step; no link where links fail."""
    if not OUTPUTS.is_dir():
        return
    link = OUTPUTS / "latest"
    if link.exists() and not link.is_symlink():
        return
    temporary = OUTPUTS / f".latest-{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        temporary.symlink_to(os.path.relpath(folder.path, OUTPUTS.resolve()), target_is_directory=True)
        os.replace(temporary, link)


def discard_if_unused(folder: RunFolder) -> None:
    """Remove what the start of a run left in its folder, where the run never began; other people's files stay."""
    if folder.result.exists() or folder.metrics.exists() or folder.checkpoints.exists():
        return
    shutil.rmtree(folder.path / ".hydra", ignore_errors=True)
    for path in (folder.log, folder.config, folder.environment):
        path.unlink(missing_ok=True)
    for path in folder.path.glob("events.out.tfevents.*"):
        path.unlink()
    with contextlib.suppress(OSError):
        folder.path.rmdir()
        if folder.path.parent.parent == OUTPUTS.resolve():
            folder.path.parent.rmdir()
