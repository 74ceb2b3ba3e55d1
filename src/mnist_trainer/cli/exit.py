"""End a command with a message and an exit code in place of a traceback."""

import errno
import logging
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from mnist_trainer.compute.world import wait_for_termination
from mnist_trainer.errors import AlreadyReportedError, ExitCode, MachineError, UserError
from mnist_trainer.system.collector import collect_rarely
from mnist_trainer.system.console import fit, printable
from mnist_trainer.system.memory import limit_message
from mnist_trainer.system.signals import StopSignal, exit_at_signals, stop_signals_raise
from mnist_trainer.system.streams import output_error, tolerate_lost_output

MAX_LINES = 10
ELSEWHERE = {"mnist-train": " Choose another place with hydra.run.dir=PATH or data.root=PATH."}
"""What to type where a file or folder cannot be used; other commands name it where they write."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SECONDS_TO_SPEAK = 3.0
"""How long the process that reports the error may take to print its message."""


@contextmanager
def exit_codes(command: str) -> Iterator[None]:
    """Turn an exception into the message and the exit code of its type."""
    tolerate_lost_output()
    collect_rarely()
    # The handlers that are in force again after the command's own: to the end of the process.
    exit_at_signals()
    try:
        require_working_folder()
        try:
            with stop_signals_raise():
                yield
        except SystemExit as ended:
            # argparse leaves by it after --help, and what it printed may be lost.
            if ended.code:
                raise
        require_output()
    except AlreadyReportedError as error:
        wait_for_termination(SECONDS_TO_SPEAK)
        sys.exit(error.exit_code)
    except UserError as error:
        show(command, str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt as error:
        end_by_signal(command, error)
    except BrokenPipeError:
        # The reader has closed the pipe, as `| head` does, and knows it.
        sys.exit(ExitCode.PIPE_CLOSED)
    except OSError as error:
        show(command, os_error_message(command, error))
        sys.exit(ExitCode.ENVIRONMENT)
    except Exception as error:
        if limit := limit_message(error):
            show(command, limit)
            sys.exit(ExitCode.ENVIRONMENT)
        # Nobody expected it: a bug of this package, told in few lines.
        show(command, bug_message(error))
        sys.exit(ExitCode.BUG)


def end_by_signal(command: str, stop: KeyboardInterrupt) -> NoReturn:
    """Say which signal ended the command; a second one does not wait for libraries to clean up."""
    number = stop.number if isinstance(stop, StopSignal) else signal.SIGINT
    reason = f"stopped by {signal.Signals(number).name}."
    show(command, "\n".join([reason, *getattr(stop, "__notes__", ())]))
    sys.stdout.flush()
    os._exit(128 + number)


def require_working_folder() -> None:
    """Raise ``MachineError`` where the working directory is gone: a library may abort over it."""
    try:
        Path.cwd()
    except OSError as error:
        raise MachineError(
            f"The working directory cannot be used: {error.strerror}. It may have been removed:"
            " cd to one that exists."
        ) from error


def require_output() -> None:
    """Raise where something that was printed is lost.

    Raises:
        BrokenPipeError: its reader went away.
        MachineError: it could not be written.
    """
    lost = output_error()
    if isinstance(lost, BrokenPipeError):
        raise lost
    if lost is not None:
        raise MachineError(f"what it prints cannot be written: {lost.strerror}.")


@contextmanager
def output_named() -> Iterator[None]:
    """Name the file of an OSError; one without a name is of standard output."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MachineError(
            f"{error.filename or 'standard output'}: {error.strerror or error}."
        ) from error


def bug_message(error: Exception) -> str:
    """What went wrong, that it is a bug, and the file that its traceback is written to."""
    text = "".join(traceback.format_exception(error))
    where = "MNIST_TRAINER_TRACEBACK=1 shows where."
    with suppress(OSError):
        handle, path = tempfile.mkstemp(prefix="mnist-trainer-", suffix=".traceback.txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        where = f"Its traceback is in {path}"
    reason = (str(error).splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {reason}\nThis is a bug of mnist-trainer. {where}"


def os_error_message(command: str, error: OSError) -> str:
    """Name the file, the reason and another place, as far as they are known."""
    advice = ELSEWHERE.get(command, "")
    place = f"{error.filename}: " if error.filename else ""
    if not place and not advice and error.errno in FULL:
        place = "what it prints cannot be written: "
    return f"{place}{error.strerror or error}.{advice}"


@contextmanager
def warnings_named(command: str) -> Iterator[None]:
    """Print warnings of this package after the command's name; for commands without logging."""
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
    print(fit(printable(text, sys.stderr), sys.stderr), file=sys.stderr, flush=True)
