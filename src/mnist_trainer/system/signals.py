"""Turn SIGTERM, SIGHUP and Ctrl+C into a request to stop after the current step."""

import signal
from types import FrameType
from typing import Any, Self

# A closed terminal sends SIGHUP; Windows has none.
STOPPING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


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
