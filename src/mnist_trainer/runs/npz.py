"""Read and write .npz files of arrays as data: bounded in size, nothing in them is executed."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError
from mnist_trainer.runs.read import read_file
from mnist_trainer.system.files import atomic_write

# What the readers of zip and of NumPy raise depends on where the damage is.
UNREADABLE = (
    OSError, ValueError, LookupError, EOFError, TypeError, ArithmeticError, MemoryError,
    RuntimeError, SyntaxError,
)  # fmt: skip

Array = NDArray[Any]


def write_npz(path: Path, arrays: Mapping[str, Array], *, compressed: bool = False) -> None:
    """Write arrays atomically, as an .npz that loads with ``allow_pickle=False``.

    Raises:
        MachineError: the file could not be written.
    """
    packed = io.BytesIO()
    save: Callable[..., None] = np.savez_compressed if compressed else np.savez
    save(packed, **arrays)
    with atomic_write(path, packed.tell()) as file:
        file.write(packed.getvalue())


def read_npz(path: Path, max_bytes: int, what: str) -> dict[str, Array]:
    """Read all arrays of a file.

    Args:
        max_bytes: of the file, and of what it unpacks to.
        what: names the content in messages.

    Raises:
        DataError: missing, too large or damaged.
    """
    content = io.BytesIO(read_file(path, max_bytes))
    try:
        with zipfile.ZipFile(content) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > max_bytes:
                raise ValueError(f"unpacks to more than {max_bytes:,} bytes")
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (*UNREADABLE, zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise DataError(f"{path}: cannot be read as {what}: {error}") from error
