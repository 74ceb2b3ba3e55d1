"""``mnist-train``: compose a configuration, train, test."""

import logging
import sys
import time

from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.cli.help import HELP_OPTIONS, VERSION_OPTIONS, print_help, print_version
from mnist_trainer.system.openmp import limit_openmp_spinning


def main() -> None:
    """Entry point of the console script."""
    started = time.perf_counter()
    words = sys.argv[1:]
    # A log line that cannot be written, because the disk is full, must not fill the terminal with
    # tracebacks.
    logging.raiseExceptions = False
    with exit_codes("mnist-train"):
        if any(word in HELP_OPTIONS for word in words):
            print_help()
        elif any(word in VERSION_OPTIONS for word in words):
            print_version()
        else:
            limit_openmp_spinning()
            # Only now Hydra: help and version need not wait for it.
            from mnist_trainer.launch.single import run_command

            run_command(words, started)
