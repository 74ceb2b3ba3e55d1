"""Packages that only some commands need: loaded when they are used, and asked for by name, never by
an ImportError."""

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


def require_extra(extra: str, *modules: str) -> None:
    """Raises:
    MachineError: a module of the extra is not installed.
    """
    missing = [module for module in modules if not is_installed(module)]
    if missing:
        raise MachineError(
            f"{', '.join(missing)}: not installed here. Type: pip install 'mnist-trainer[{extra}]'"
        )


def require(extra: str, module: str, asker: str) -> Any:
    """The module, imported.

    Args:
        asker: what needs it, as the beginning of the message.

    Raises:
        MachineError: it is not installed; says what to type.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MachineError(
            f"{asker} needs {package}, which is not installed. Install it with: pip install"
            f" 'mnist-trainer[{extra}]'"
        ) from error
