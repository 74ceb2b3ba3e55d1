"""The packages that only reports need: loaded when they are used, asked for by name where they are missing."""

import importlib
import importlib.util
from typing import Any

from mnist_trainer.errors import MachineError


def is_installed(module: str) -> bool:
    """Whether a top-level package could be imported; it is not."""
    return importlib.util.find_spec(module) is not None


def require(module: str, asker: str) -> Any:
    """The module.

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
            f"{asker} needs {package}, which is not installed. Install it with: pip install 'mnist-trainer[report]'"
        ) from error
