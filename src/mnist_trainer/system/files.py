"""Write files atomically: whole and on disk, or not at all."""

import contextlib
import errno
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mnist_trainer.errors import MachineError

ELSEWHERE = "hydra.run.dir=PATH"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def atomic_write(
    path: Path, needed: int | None = None, *, elsewhere: str = ELSEWHERE
) -> Iterator[BinaryIO]:
    """Open a binary file that appears under its name whole and on disk, or not at all.

    Writes to a temporary file in the same folder, flushes it to disk, renames it over ``path`` and
    flushes the folder, so that a crash at any instant leaves the old file or the new one.

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
    """Write a file that a user named: a plain file atomically, a pipe, FIFO or device as a stream.

    Of a link the target is written and the link stays. No folder is made.

    Args:
        elsewhere: what a user types to have it written to another place.

    Raises:
        MachineError: the file could not be written.
        BrokenPipeError: whoever read from it went away.
    """
    is_stream = False
    try:
        place = Path(os.path.realpath(path))
        # Names such as /dev/fd/63 resolve to names that do not exist, so the given name is asked.
        with contextlib.suppress(FileNotFoundError):
            is_stream = not (
                stat.S_ISREG(path.stat().st_mode) and place.exists() and path.samefile(place)
            )
        with _stream(path) if is_stream else _replacing(place) as file:
            file.write(content)
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.errno in NO_SPACE and not is_stream:
            raise write_failure(path, error, len(content), elsewhere, "file") from error
        raise MachineError(
            f"{path} could not be written: {error.strerror or error}. Choose another file with"
            f" {elsewhere}."
        ) from error


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a temporary file and rename it to ``path``; where anything fails, remove it."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
        _fsync_folder(path.parent)
    finally:
        # Before the message of a failure counts the free bytes.
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _stream(path: Path) -> BinaryIO:
    """Open an existing FIFO, pipe or device for writing."""
    # A system may refuse the flags that create a file for a FIFO of another user.
    return open(
        path, "wb", opener=lambda name, flags: os.open(name, flags & ~(os.O_CREAT | os.O_TRUNC))
    )


def replace_by_link(source: Path, path: Path) -> None:
    """Give a file a second name atomically, replacing an older file of that name.

    A hard link, or a copy where the file system has no links.

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
    """Remove the temporary files of interrupted writes from a folder."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, Any], *, elsewhere: str = ELSEWHERE) -> None:
    """Write a JSON object atomically, indented."""
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    content = text.encode() + b"\n"
    with atomic_write(path, len(content), elsewhere=elsewhere) as file:
        file.write(content)


def data_cache_folder() -> Path:
    """The per-user folder of the data sets, where this operating system keeps caches."""
    from platformdirs import user_cache_path

    try:
        return user_cache_path("mnist-trainer", appauthor=False)
    except RuntimeError:
        # A user without a home folder, as a container may have one. What is read is verified.
        return Path(tempfile.gettempdir()) / f"mnist-trainer-{os.getuid()}"


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


def write_failure(
    path: Path,
    error: OSError,
    needed: int | None = None,
    elsewhere: str = ELSEWHERE,
    kind: str = "place",
) -> MachineError:
    """The error of a file that could not be written: reason, bytes needed and free, other place."""
    needs = "" if needed is None else f" It needs {needed:,} bytes."
    try:
        free = f" {shutil.disk_usage(path.parent).free:,} bytes are free there."
    except OSError:
        free = ""
    return MachineError(
        f"{path} could not be written: {error.strerror or error}.{needs}{free}"
        f" Free some space, or choose another {kind} with {elsewhere}."
    )
