"""The processor's cores."""

import os
from contextlib import suppress


def usable_cores() -> int:
    """Cores that the scheduler lets this process run on."""
    with suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_one_thread() -> None:
    """Let NumPy and PyTorch compute in one thread of this process, where there is a process for
    each core: threads that wait for work in a loop take the time of the others."""
    # Late: few commands start processes.
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
