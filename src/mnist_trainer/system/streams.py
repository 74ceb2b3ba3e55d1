"""Standard output and standard error that never raise: a run does not die of what it prints.

The disk behind a redirection may be full, the reader of a pipe gone, a stream closed (``>&-``).
What cannot be written is dropped, and the command says so at its end.
"""

import errno
import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class _Tolerant(io.RawIOBase):
    """A raw stream that remembers its first error and drops what comes after it."""

    def __init__(self, inner: io.RawIOBase | None) -> None:
        """Args:
        inner: the stream of the process; None where it is closed.
        """
        self.inner = inner
        self.error: OSError | None = None

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self.inner is not None and self.inner.isatty()

    def fileno(self) -> int:
        if self.inner is None:
            raise io.UnsupportedOperation("fileno")
        return self.inner.fileno()

    def write(self, data: Any) -> int | None:
        size = memoryview(data).nbytes
        if self.error is None:
            try:
                if self.inner is None:
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
                return self.inner.write(data)
            except OSError as error:
                self.error = error
        return size


def tolerate_lost_output() -> None:
    """Replace the standard streams of this process by ones that never raise."""
    if sys.stdout is sys.__stdout__:
        sys.stdout = _tolerant(sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _tolerant(sys.stderr)


def output_error() -> OSError | None:
    """Why something printed is lost; None where nothing is."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.error if isinstance(raw, _Tolerant) else None


def _tolerant(stream: TextIO | None) -> TextIO:
    if stream is None:
        # The number of a closed stream must not become that of the next file that is opened.
        while os.open(os.devnull, os.O_RDWR) < 2:
            pass
        return io.TextIOWrapper(io.BufferedWriter(_Tolerant(None)), "utf-8", "backslashreplace")
    buffer: Any = stream.buffer
    return io.TextIOWrapper(
        io.BufferedWriter(_Tolerant(getattr(buffer, "raw", buffer))),
        encoding=stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.isatty(),
        write_through=getattr(stream, "write_through", False),
    )
