"""The lock of the data cache: one process writes, the others wait and say what they wait for."""

import contextlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

QUIET_SECONDS = 1.5
"""How long is waited without a word."""


@contextlib.contextmanager
def cache_lock(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock file; after a moment of waiting, say for what and until when.

    Raises:
        Timeout: another process holds it for longer than ``seconds``.
        OSError: the file cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=min(QUIET_SECONDS, seconds))
    except Timeout:
        until = datetime.now() + timedelta(seconds=seconds)
        log.warning(
            "Waiting for %s, which %s holds while it unpacks data, until %s at the latest. If that"
            " process hangs, end it; to use another cache: data.root=PATH",
            path,
            holder_of(path) or "another process",
            f"{until:%H:%M:%S}",
        )
        lock.acquire(timeout=max(0.0, seconds - QUIET_SECONDS))
    try:
        yield
    finally:
        lock.release()


def holder_of(path: Path) -> str | None:
    """The process that holds a lock on a file, as Linux knows it; None where that is not known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        inode = str(path.stat().st_ino)
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            # 1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF
            parts = line.split()
            if parts[5].rpartition(":")[2] == inode and int(parts[4]) > 0:
                return f"process {parts[4]}"
    return None
