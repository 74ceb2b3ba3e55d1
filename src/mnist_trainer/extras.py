"""Packages that only some commands need: named with the way to install them, never an ImportError."""

from importlib.util import find_spec

from mnist_trainer.errors import MachineError


def require_extra(extra: str, *modules: str) -> None:
    """Raises:
    MachineError: a module of the extra is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MachineError(f"{', '.join(missing)}: not installed here. Type: pip install 'mnist-trainer[{extra}]'")
