"""Python's garbage collector, set for programs that import a lot and then keep it."""

import atexit
import gc

THRESHOLDS = (50_000, 20, 20)
"""New objects before a look at the youngest, and looks before one at the older ones."""


def collect_rarely() -> None:
    """Look for garbage less often than by default, and not at all once the program has ended.

    Importing PyTorch makes half a million objects, which default thresholds look at again and
    again, and once more at the end: a fifth of the time that the import takes.
    """
    gc.set_threshold(*THRESHOLDS)
    atexit.register(gc.freeze)
