"""Config-driven MNIST training: quick, exact, honest and offline."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnist_trainer.system.version import __version__

if TYPE_CHECKING:
    from mnist_trainer.inference.interface.classifier import MnistClassifier
    from mnist_trainer.inference.interface.train import train
    from mnist_trainer.inference.loading import load_run

__all__ = ["MnistClassifier", "__version__", "load_run", "train"]

# These bring torch or Hydra with them: only those who ask for one wait for that.
_HOMES = {
    "MnistClassifier": "inference.interface.classifier",
    "load_run": "inference.loading",
    "train": "inference.interface.train",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
