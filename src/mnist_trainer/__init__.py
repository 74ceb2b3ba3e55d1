"""Config-driven MNIST training: quick, exact, honest and offline."""

from typing import TYPE_CHECKING, Any

from mnist_trainer.system.version import __version__

if TYPE_CHECKING:
    from mnist_trainer.inference.loading import load_run as load_run

__all__ = ["__version__", "load_run"]


def __getattr__(name: str) -> Any:
    """``load_run`` brings torch with it: only those who ask for it wait for that."""
    if name == "load_run":
        from mnist_trainer.inference.loading import load_run

        return load_run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
