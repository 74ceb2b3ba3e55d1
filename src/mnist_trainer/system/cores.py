"""The processor's cores."""

import os
from contextlib import suppress


def usable_cores() -> int:
    """Cores that the scheduler lets this process run on."""
    with suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
