"""Being asked to stop: once politely, twice at once."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from mnist_trainer.errors import ExitCode, UserError


class InterruptedRunError(UserError):
    """A run that was asked to stop, and has saved where it was."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED


class Interruption:
    """A context in which SIGTERM and Ctrl+C become a request that the loop looks at after each step.

    A second Ctrl+C ends the process as it would anywhere else. Outside the main thread, where Python allows no
    handlers, signals are left as they are.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self.former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.former[number] = signal.signal(number, self._handle)
            except ValueError:
                break
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = number
