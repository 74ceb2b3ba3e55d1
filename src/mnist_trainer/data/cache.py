"""The cache of data sets: where it is, and the raw files of MNIST in it, verified at every use.

No torch here: the files can be read while it is imported.
"""

import hashlib
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mnist_trainer.config.settings import DataSettings
from mnist_trainer.system.files import data_cache_folder
from mnist_trainer.system.paths import real_path, user_path

SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
NEED_THEM = ("mnist", "mnist_printed")
"""Data sets that are made of these files."""
_AHEAD: dict[Path, Future[bytearray | None]] = {}
"""Files that are being read before anybody has asked for them."""


def cache_root(settings: DataSettings) -> Path:
    """Folder of the data sets: ``data.root``, else the per-user cache of this operating system."""
    if settings.root is not None:
        return real_path(user_path(settings.root, f"data.root={settings.root}"))
    return data_cache_folder()


def raw_folder(root: Path) -> Path:
    """Where the cache has the files; torchvision looks there, too."""
    return root / "MNIST" / "raw"


def read_ahead(settings: DataSettings) -> None:
    """Begin to read and verify the files in a thread, where PyTorch is still to be imported: that
    takes longer than a second, and a hash leaves the interpreter to others."""
    if "torch" in sys.modules or settings.name not in NEED_THEM:
        return
    raw = raw_folder(cache_root(settings))
    with_thread = ThreadPoolExecutor(1)
    _AHEAD.update({raw / name: with_thread.submit(_read, raw / name) for name in SHA256})
    with_thread.shutdown(wait=False)


def read_verified(path: Path) -> bytearray | None:
    """The content of a file; None if it is missing or its hash is wrong."""
    begun = _AHEAD.pop(path, None)
    return _read(path) if begun is None else begun.result()


def _read(path: Path) -> bytearray | None:
    try:
        with path.open("rb") as file:
            content = bytearray(path.stat().st_size)
            if file.readinto(content) != len(content):
                return None
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == SHA256[path.name] else None
