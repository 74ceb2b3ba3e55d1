"""Being asked to stop: once politely, twice at once."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from mnist_trainer.errors import ExitCode, UserError


class InterruptedRunError(UserError):
    """A run that was asked to stop, and has saved where it was."""

    def __init__(self, message: str, number: int) -> None:
        # Both are kept, so that a job in another process can send it home.
        super().__init__(message, number)
        self.exit_code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED

    def __str__(self) -> str:
        return str(self.args[0])


class Interruption:
    """A context in which SIGTERM and Ctrl+C become a request that the loop looks at after each
    step.

    A second Ctrl+C ends the process as it would anywhere else. Outside the main thread, where
    Python allows no handlers, signals are left as they are.
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self.former.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = number


class SharedInterruption(Interruption):
    """The same where several processes make one run: a request counts once all processes have heard
    of it.

    A signal may reach only one of them, and none may stop at a step of its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: int | None = None

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.heard is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.heard = number

    def votes(self) -> tuple[float, float]:
        """What this process has heard: a number for Ctrl+C, one for SIGTERM."""
        return float(self.heard == signal.SIGINT), float(self.heard == signal.SIGTERM)

    def decide(self, votes: list[float]) -> None:
        """Take note of the sum of all processes' votes; SIGTERM has precedence."""
        interrupts, terminations = votes
        if interrupts or terminations:
            self.requested = signal.SIGTERM if terminations else signal.SIGINT
