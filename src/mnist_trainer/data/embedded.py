"""MNIST from inside this package: unpacked once into a per-user cache, verified at every use.

The cache has torchvision's layout (``<root>/MNIST/raw/*-ubyte``), so other programs can read it.
"""

import hashlib
import logging
import lzma
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from filelock import Timeout

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data.cache import SHA256, raw_folder, read_verified
from mnist_trainer.data.cache_lock import cache_lock
from mnist_trainer.data.idx import parse_idx
from mnist_trainer.data.images import DataSet, LabelledImages, labelled_images
from mnist_trainer.errors import DataError, MachineError
from mnist_trainer.system.files import atomic_write, sweep_temporaries

log = logging.getLogger(__name__)

PRINTED_SHA256 = {
    "printed-images-idx3-ubyte": "b4280acb0dec7d491c98984965fe6e825fc181009ec4b12f49564c2436b8e96a",
    "printed-labels-idx1-ubyte": "8aadca8112892a30555cc78a03b9c1b78a9fdd8174a64ff702c0e19c34aedef9",
}
"""Digits that ``benchmarks/photographs/make_printed_digits.py`` has drawn."""
NUM_TEST = 10_000
DIGITS = tuple("0123456789")
# Unpacking takes a second: a process that holds the lock for longer hangs.
LOCK_SECONDS = 60
REINSTALL = (
    "Reinstall the package, which is on no index: pip install --force-reinstall --no-deps with its"
    " clone or its wheel."
)


def load_mnist(root: Path) -> DataSet:
    """Load MNIST from the cache below ``root``, unpacking there what is missing or damaged.

    Raises:
        DataError: the copy inside the package is damaged.
    """
    raw = raw_folder(root)
    content = {name: data for name in SHA256 if (data := read_verified(raw / name)) is not None}
    if len(content) < len(SHA256):
        content = _unpack(raw)
    arrays = {name: parse_idx(data, name) for name, data in content.items()}

    def part(prefix: str, expected: int) -> LabelledImages:
        return labelled_images(
            arrays[f"{prefix}-images-idx3-ubyte"],
            arrays[f"{prefix}-labels-idx1-ubyte"],
            expected=expected,
            num_classes=len(DIGITS),
            source=f"MNIST {prefix}",
        )

    return DataSet(
        "mnist", part("train", NUM_TRAINING_IMAGES["mnist"]), part("t10k", NUM_TEST), DIGITS, SHA256
    )


def load_mnist_printed(root: Path) -> DataSet:
    """Load MNIST with printed digits, digits as Europe writes them, and both as segmentation leaves
    them of photographs, after its training images.

    Raises:
        DataError: the copy inside the package is damaged.
    """
    mnist = load_mnist(root)
    images, labels = (
        parse_idx(embedded_file(name, PRINTED_SHA256), name) for name in PRINTED_SHA256
    )
    printed = labelled_images(
        images,
        labels,
        expected=NUM_TRAINING_IMAGES["mnist_printed"] - NUM_TRAINING_IMAGES["mnist"],
        num_classes=len(DIGITS),
        source="printed digits",
    )
    train = LabelledImages(
        torch.cat([mnist.train.images, printed.images]),
        torch.cat([mnist.train.labels, printed.labels]),
    )
    hashes = {**SHA256, **PRINTED_SHA256}
    return DataSet("mnist_printed", train, mnist.test, DIGITS, hashes, num_added=len(printed))


def _unpack(raw: Path) -> dict[str, bytearray]:
    """Unpack into the cache, one process at a time; in memory only if it cannot be written."""
    try:
        raw.mkdir(parents=True, exist_ok=True)
        with cache_lock(raw.parent / ".lock", LOCK_SECONDS):
            sweep_temporaries(raw)
            return {name: _unpack_one(raw / name) for name in SHA256}
    except (OSError, Timeout, MachineError) as error:
        log.warning(
            "The data cache %s cannot be written (%s); MNIST is unpacked in memory for this run.",
            raw,
            error,
        )
        return {name: bytearray(embedded_file(name)) for name in SHA256}


def _unpack_one(path: Path) -> bytearray:
    # Another process may have unpacked it while this one waited for the lock.
    if (content := read_verified(path)) is not None:
        return content
    if path.exists():
        log.warning("%s was damaged; it is made anew from the copy inside the package.", path)
    content = bytearray(embedded_file(path.name))
    with atomic_write(path) as file:
        file.write(content)
    return content


def embedded_file(name: str, sha256: Mapping[str, str] = SHA256) -> bytes:
    """Decompress a raw file from inside the package, and compare its hash.

    Raises:
        DataError: the package is damaged.
    """
    packed = resources.files("mnist_trainer.data") / "mnist" / f"{name}.xz"
    try:
        content = lzma.decompress(packed.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"{packed}: {error}. {REINSTALL}") from error
    if hashlib.sha256(content).hexdigest() != sha256[name]:
        raise DataError(f"{packed}: not the official file. {REINSTALL}")
    return content
