"""How every command ends: a message and a code in place of a traceback."""

import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mnist_trainer.compute.world import wait_for_termination
from mnist_trainer.errors import AlreadyReportedError, ExitCode, UserError
from mnist_trainer.system.console import printable
from mnist_trainer.system.memory import NO_MEMORY

MAX_LINES = 10
ELSEWHERE = {"mnist-train": " Choose another place with hydra.run.dir=PATH or data.root=PATH."}
"""What to type where a file or folder cannot be used; the other commands' own options are named
where they are read."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SECONDS_TO_SPEAK = 3.0
"""How long the process that has the word may take to print its message."""


@contextmanager
def exit_codes(command: str) -> Iterator[None]:
    """Turn what goes wrong within into the exit code and the message that this package promises."""
    try:
        yield
        # What does not fit where the output goes is found here, and not when the interpreter has
        # ended.
        if sys.stdout is not None:
            sys.stdout.flush()
    except AlreadyReportedError as error:
        wait_for_termination(SECONDS_TO_SPEAK)
        sys.exit(error.exit_code)
    except UserError as error:
        if error.exit_code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
            # All is saved: who asks again while the process is leaving need not hear about it in a
            # traceback.
            signal.signal(signal.SIGINT, lambda *_: os._exit(ExitCode.INTERRUPTED))
        show(command, str(error))
        sys.exit(error.exit_code)
    except MemoryError:
        show(command, NO_MEMORY)
        sys.exit(ExitCode.ENVIRONMENT)
    except KeyboardInterrupt:
        show(command, "interrupted.")
        sys.stdout.flush()
        # Who asks twice does not want to wait for the libraries to say goodbye to each other.
        os._exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader went away, as `| head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        if not place and command not in ELSEWHERE and error.errno in FULL:
            place = (
                "what it prints cannot be written: "  # Their files are written by what names them.
            )
        show(command, f"{place}{error.strerror or error}.{ELSEWHERE.get(command, '')}")
        discard_output()
        sys.exit(ExitCode.ENVIRONMENT)


def discard_output() -> None:
    """Let nothing that is left of the output be written at the end: it would fail once more, beside
    the message."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def warnings_named(command: str) -> Iterator[None]:
    """Show warnings of the library with the name of the command before them; for commands that set
    up no logging."""
    log = logging.getLogger("mnist_trainer")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"{command}: %(message)s"))
    handler.setLevel(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def show(command: str, message: str) -> None:
    """Write a message to standard error: at most ten lines, in what the terminal can show."""
    if os.environ.get("MNIST_TRAINER_TRACEBACK") == "1":
        traceback.print_exc()
    lines = message.splitlines()
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"... and {len(lines) - MAX_LINES + 1} lines more"]
    text = f"{command}: " + "\n  ".join(lines)
    print(printable(text, sys.stderr), file=sys.stderr, flush=True)
