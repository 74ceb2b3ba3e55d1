"""Turn SIGTERM and Ctrl+C into a request to stop after the current step."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interruption:
    """A context that records SIGTERM and Ctrl+C as ``requested``, for the loop to read after a step.

    A second Ctrl+C raises KeyboardInterrupt. Outside the main thread, where Python allows no
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
    """``Interruption`` for several processes: a request counts once their stop flags are summed.

    A signal may reach only one process, and all must stop after the same step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.received: int | None = None

    def _handle(self, number: int, _: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number

    def stop_flags(self) -> tuple[float, float]:
        """Whether this process has received Ctrl+C, and SIGTERM, as 0 or 1."""
        return float(self.received == signal.SIGINT), float(self.received == signal.SIGTERM)

    def apply(self, flags: list[float]) -> None:
        """Apply the sum of all processes' stop flags; SIGTERM has precedence."""
        interrupts, terminations = flags
        if interrupts or terminations:
            self.requested = signal.SIGTERM if terminations else signal.SIGINT
