"""Turn SIGTERM, SIGHUP and Ctrl+C into a request to stop after the current step."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType, ModuleType
from typing import Any, Self

# A closed terminal sends SIGHUP; Windows has none.
STOPPING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))

SECONDS_TO_WAIT = 0.05
"""Until a signal that came during an import is sent again."""
RAISED: list[int] = []
"""Signals raised as ``StopSignal``: a bare ``except`` of some library may have swallowed one."""


class StopSignal(KeyboardInterrupt):
    """A signal outside the training loop: ends a command where it is, as Ctrl+C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Raise ``StopSignal`` at a signal, so that what is half done is cleared away.

    While a module is being imported the signal waits: C++ code that calls Python at that time, as
    that of PyTorch does, aborts the process at an exception.
    """

    def stop(number: int, _: FrameType | None) -> None:
        if any(is_initializing(module) for module in list(sys.modules.values())):
            later = threading.Timer(SECONDS_TO_WAIT, signal.raise_signal, [number])
            later.daemon = True
            later.start()
        else:
            RAISED.append(number)
            raise StopSignal(number)

    former: dict[int, Any] = {}
    # Outside the main thread Python allows no handlers.
    with contextlib.suppress(ValueError):
        for each in STOPPING:
            if signal.getsignal(each) is not signal.SIG_IGN:
                former[each] = signal.signal(each, stop)
    try:
        yield
        if RAISED:
            raise StopSignal(RAISED[0])
    finally:
        RAISED.clear()
        for number, handler in former.items():
            signal.signal(number, handler)


def is_initializing(module: ModuleType) -> bool:
    """Whether a module is being imported."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def exit_at_signals() -> None:
    """End the process at a signal at once, with the signal's exit code.

    For the time that Python takes to exit, when all is done: libraries clean up then, and a
    KeyboardInterrupt in the middle of it would be printed as a traceback.
    """
    with contextlib.suppress(ValueError):  # Not the main thread, where Python allows no handlers.
        for each in STOPPING:
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, lambda number, _: os._exit(128 + number))


@contextlib.contextmanager
def blocked_in_children() -> Iterator[None]:
    """Start processes that a Ctrl+C or a closed terminal does not reach: both go to all processes
    of the terminal.

    This process still gets them where another of its threads calls ``unblock_in_thread``.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows.
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def ignore_terminal() -> None:
    """Ignore Ctrl+C and a closed terminal for good, in a process that another one stops."""
    with contextlib.suppress(ValueError):  # Not the main thread, where Python allows no handlers.
        for number in STOPPING:
            if number != signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN)


def unblock_in_thread() -> None:
    """Let this thread take Ctrl+C and SIGHUP; Python's handlers run in the main thread still."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGHUP})


class Interruption:
    """A context that records SIGTERM, SIGHUP and Ctrl+C as ``requested``, which the loop reads.

    A second Ctrl+C raises KeyboardInterrupt. What is ignored, as ``nohup`` has it, stays ignored.
    Outside the main thread, where Python allows no handlers, signals are left as they are.

    Args:
        shared: several processes make the run. A signal may reach only one of them, and all must
            stop after the same step, so a request counts once their stop flags are summed.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.shared = shared
        self.received: int | None = None
        self.requested: int | None = None
        self.former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in STOPPING:
            try:
                former = signal.signal(number, self._handle)
                self.former[number] = former
                if former is signal.SIG_IGN:
                    signal.signal(number, former)
            except ValueError:
                break
        if RAISED:
            self._handle(RAISED[0], None)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
        if not self.shared:
            self.requested = number

    def stop_flags(self) -> tuple[float, float]:
        """Whether this process has received Ctrl+C, and another request, as 0 or 1."""
        interrupted = self.received == signal.SIGINT
        return float(interrupted), float(self.received is not None and not interrupted)

    def apply(self, flags: list[float]) -> None:
        """Apply the sum of all processes' stop flags; SIGTERM has precedence."""
        interrupts, terminations = flags
        if interrupts or terminations:
            self.requested = signal.SIGTERM if terminations else signal.SIGINT
