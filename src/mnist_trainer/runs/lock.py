"""One writer for each folder: a lock that is held as long as its process lives.

The lock is on the folder itself (``flock``), so that to delete a file does not release it, and the
operating system releases it when its process ends, however it ends. A file beside it names the
holder. Where a folder cannot be locked (Windows, some network file systems) the file is the lock,
and a holder on this machine that no longer runs is recognised by its process.
"""

import contextlib
import errno
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from mnist_trainer.errors import ConfigError, DataError
from mnist_trainer.runs.folder import LOCK_FILE
from mnist_trainer.runs.read import read_json

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None

HELD = (errno.EAGAIN, errno.EACCES)


@dataclass(frozen=True)
class Holder:
    """The process that holds a folder."""

    host: str
    pid: int
    started: str
    """When it took the lock, in ISO 8601."""

    def is_dead(self) -> bool:
        """Whether it ran on this machine and no longer does; one elsewhere cannot be asked."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):
            return False
        return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started}"


@contextlib.contextmanager
def folder_lock(folder: Path, purpose: str, timeout: float = 0.0) -> Iterator[None]:
    """Hold a folder that exists, or refuse it where another process holds it.

    Args:
        purpose: what holds the folder, such as "run" or "sweep", for the message.
        timeout: seconds to wait for another process to release it.

    Raises:
        ConfigError: another process holds it; names that process.
    """
    note, deadline = folder / LOCK_FILE, time.monotonic() + timeout
    while True:
        try:
            handle = _lock_folder(folder, purpose)
            if handle is None:
                _create_note(note, folder, purpose)
            break
        except ConfigError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.1)
    try:
        with contextlib.suppress(OSError):
            note.write_text(json.dumps(asdict(_this_process())), encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):
            note.unlink()
        if handle is not None:
            os.close(handle)


def _lock_folder(folder: Path, purpose: str) -> int | None:
    """File descriptor of the locked folder; None where folders cannot be locked."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if error.errno in HELD:
            raise _refusal(folder, purpose, read_holder(folder)) from error
        return None
    return handle


def _create_note(note: Path, folder: Path, purpose: str) -> None:
    """Make the file that is the lock where the folder cannot be locked."""
    while True:
        try:
            os.close(os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            return
        except FileExistsError as error:
            holder = read_holder(folder)
            if holder is None or not holder.is_dead():
                raise _refusal(folder, purpose, holder) from error
            note.unlink(missing_ok=True)


def read_holder(folder: Path) -> Holder | None:
    """The process that says it holds the folder; None where no file says so."""
    try:
        content = read_json(folder / LOCK_FILE, max_bytes=4096)
        return Holder(str(content["host"])[:80], int(content["pid"]), str(content["started"])[:40])
    except (DataError, KeyError, TypeError, ValueError):
        return None


def _refusal(folder: Path, purpose: str, holder: Holder | None) -> ConfigError:
    who = f" ({holder})" if holder else ""
    return ConfigError(
        f"{folder}: another mnist-train is at work on this {purpose}{who}.\n"
        "Wait for it to end, stop it, or name another folder: hydra.run.dir=PATH, or sweep=NAME"
    )


def _this_process() -> Holder:
    return Holder(socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%dT%H:%M:%S%z"))
