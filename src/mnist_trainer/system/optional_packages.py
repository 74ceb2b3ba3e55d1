"""Packages of an extra: a missing one is reported before any work is done."""

from importlib.util import find_spec

from mnist_trainer.errors import MachineError


def require_extra(extra: str, *modules: str) -> None:
    """Check that the top-level modules of an extra are installed; none is imported.

    Raises:
        MachineError: a module is not installed.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MachineError(
            f"{', '.join(missing)}: not installed here. Type: pip install 'mnist-trainer[{extra}]'"
        )
