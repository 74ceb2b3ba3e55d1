"""Packages that only some commands need: imported when used, and named where they are missing."""

import importlib
import importlib.util
from typing import Any

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


def import_package(module: str, asker: str) -> Any:
    """Import a module of an optional package.

    Raises:
        MachineError: the package is not installed.
    """
    require_packages(asker, module.partition(".")[0])
    return importlib.import_module(module)
