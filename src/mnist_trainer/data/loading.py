"""Load the data set that the settings name, and split it."""

from functools import lru_cache
from pathlib import Path

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.data.cache import cache_root
from mnist_trainer.data.embedded import DIGITS, load_mnist, load_mnist_printed
from mnist_trainer.data.images import DataSet
from mnist_trainer.data.published import PUBLISHED, load_published
from mnist_trainer.data.split import Splits, split

EMBEDDED = {"mnist": load_mnist, "mnist_printed": load_mnist_printed}
"""Data sets that are shipped inside the package."""


def load_dataset(settings: DataSettings) -> DataSet:
    """Load the data set that the settings name, once per process.

    Raises:
        DataError: files are missing, damaged, or not what they claim to be.
    """
    return _load(settings.name, cache_root(settings), settings.download, settings.mirror)


def class_names_of(name: str) -> tuple[str, ...]:
    """The classes of a data set, without reading or downloading it."""
    return DIGITS if name in EMBEDDED else PUBLISHED[name]().class_names


@lru_cache(maxsize=2)
def _load(name: str, root: Path, download: bool, mirror: str | None) -> DataSet:
    if name in EMBEDDED:
        return EMBEDDED[name](root)
    return load_published(name, root, download=download, mirror=mirror)


@lru_cache(maxsize=1)
def load_splits(settings: DataSettings) -> Splits:
    """Load the data set and split it; runs in one process with the same settings share the images.

    Raises:
        DataError: files are missing, damaged, or not what they claim to be.
    """
    return split(load_dataset(settings), settings)
