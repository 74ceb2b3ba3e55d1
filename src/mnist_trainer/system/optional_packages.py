"""Packages that only some commands need: imported when used, and named where they are missing."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mnist_trainer.errors import MachineError


def is_installed(module: str) -> bool:
    """Whether a module could be imported; of a dotted name, the packages above it are."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def require_packages(asker: str, *packages: str) -> None:
    """Check that packages are installed.

    Args:
        asker: what needs them, as the beginning of the message.

    Raises:
        MachineError: names those that are missing, and how to install them.
    """
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        raise MachineError(
            f"{asker} needs {' and '.join(missing)}, not installed here. Type: pip install"
            f" {' '.join(missing)}"
        )


@contextmanager
def not_importable(package: str) -> Iterator[None]:
    """Let a package seem not to be installed, unless it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
