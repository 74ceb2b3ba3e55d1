"""checksums.json: the SHA-256 of the files of a finished run, so that damage to one is told.

Checkpoints have a manifest of their own. As there, hashes are no signatures: whoever changes a file
on purpose can change its hash as well.
"""

import contextlib
import hashlib

from mnist_trainer.errors import DataError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.read import read_file, read_json
from mnist_trainer.system.files import write_json

NAMES = (
    "calibration.json",
    "code.patch",
    "config.yaml",
    "environment.json",
    "evaluation-card.json",
    "evaluation.json",
    "film.npz",
    "layers.json",
    "metrics.jsonl",
    "predictions.npz",
    "result.json",
    "trail.bin",
    ".hydra/config.yaml",
    ".hydra/hydra.yaml",
    ".hydra/overrides.yaml",
)


def write_checksums(folder: RunFolder) -> None:
    """Write the hashes of the files of a run that has come to its end.

    Raises:
        MachineError: the file could not be written.
    """
    hashes = {name: _hash(folder, name) for name in NAMES}
    write_json(folder.checksums, {name: each for name, each in hashes.items() if each})


def add_checksum(folder: RunFolder, name: str) -> None:
    """Add the hash of a file that a later command has written to those of a finished run."""
    if folder.checksums.exists():
        with contextlib.suppress(DataError):  # Damaged: that is told, and stays as it is.
            hashes = read_json(folder.checksums)
            if isinstance(hashes, dict):
                write_json(folder.checksums, {**hashes, name: _hash(folder, name)})


def changed_files(folder: RunFolder) -> list[str]:
    """A sentence for each file that is not as the run has left it; none for a run that goes on, or
    of an older version."""
    if not folder.checksums.exists():
        return []
    try:
        hashes = read_json(folder.checksums)
    except DataError as error:
        return [f"{error} So changes of the other files are not noticed."]
    if not isinstance(hashes, dict) or not set(NAMES) >= hashes.keys():
        return [f"{folder}/checksums.json: cannot be read: it holds no hashes of files."]
    return [
        f"{folder}/{name}: not as the run has left it: damaged, or changed since."
        for name, expected in hashes.items()
        if _hash(folder, name) != expected
    ]


def _hash(folder: RunFolder, name: str) -> str | None:
    """SHA-256 of a file's content; None where it cannot be read."""
    try:
        return hashlib.sha256(read_file(folder.path / name)).hexdigest()
    except DataError:
        return None
