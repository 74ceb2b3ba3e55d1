"""The log of a run in a process whose logging belongs to somebody else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "mnist_trainer"


class _Forward(logging.Handler):
    """Hands records to the root logger, whose handlers are the caller's."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger().handle(record)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write this package's records to a file; the caller's handlers get those that they would have
    got without it."""
    log = logging.getLogger(PACKAGE)
    level, propagate = log.level, log.propagate
    file = logging.FileHandler(path, encoding="utf-8", delay=True)
    # As configs/hydra/job_logging/run_folder.yaml has it for commands.
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    added = [file, *([_Forward(log.getEffectiveLevel())] if propagate else [])]
    for handler in added:
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.setLevel(level)
        log.propagate = propagate
        for handler in added:
            log.removeHandler(handler)
            handler.close()
