"""Save and load checkpoints: tensors and plain values only, verified before they are used."""

import hashlib
import io
import logging
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.errors import CheckpointError, DataError, MachineError
from mnist_trainer.runs.checkpoint_layout import FORMAT, layout_problem
from mnist_trainer.runs.read import read_file, read_json
from mnist_trainer.system.files import atomic_write, replace_by_link, write_json

log = logging.getLogger(__name__)

MAX_RECORDS = 100_000
"""Of the zip file; each storage is one. A network of 1,000 layers has about 10,000."""


@dataclass(frozen=True)
class Checkpoints:
    """The last, previous and best checkpoint of one run, and the manifest of their hashes.

    A save writes the hashes of old and new content to the manifest, links the old last checkpoint
    as ``previous.pt``, then replaces ``last.pt``. Whenever it is cut short, the manifest holds the
    hash of every file.
    """

    folder: Path

    @property
    def last(self) -> Path:
        return self.folder / "last.pt"

    @property
    def previous(self) -> Path:
        return self.folder / "previous.pt"

    @property
    def best(self) -> Path:
        return self.folder / "best.pt"

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    def save(self, state: Mapping[str, Any], *, is_best: bool) -> None:
        """Write the last checkpoint, and the best one where this is the best.

        Raises:
            MachineError: it could not be written; the older ones are untouched.
        """
        if _inode(self.folder.parent) != self._run_folder:
            raise MachineError(
                f"{self.folder.parent}: the folder of this run was removed or renamed while it was"
                " running, so nothing more is saved.\nMove it back and resume it, or start the run"
                " anew."
            )
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, **in_own_memory(state)}, buffer)
        content = buffer.getbuffer()
        digest = hashlib.sha256(content).hexdigest()
        last, previous, best = (
            self._vouched_hash(path) for path in (self.last, self.previous, self.best)
        )
        hashes = {"last.pt": [digest, *last], "previous.pt": [*last, *previous], "best.pt": best}
        if is_best:
            hashes["best.pt"] = [digest, *best]
        write_json(self.manifest, hashes)
        if last:
            replace_by_link(self.last, self.previous)
        with atomic_write(self.last, len(content)) as file:
            file.write(content)
        if is_best:
            # A copy of its own: damage to the one must not be damage to the other.
            with atomic_write(self.best, len(content)) as file:
                file.write(content)

    @cached_property
    def _run_folder(self) -> tuple[int, int] | None:
        """Which folder the first save went to."""
        return _inode(self.folder.parent)

    def _vouched_hash(self, path: Path) -> list[str]:
        """The hash of a file's content, if it is in the manifest; empty for a missing or damaged
        file.

        Not the first hash in the manifest: that may be of a save that was cut short.
        """
        try:
            digest = hashlib.sha256(read_file(path)).hexdigest()
        except DataError:
            return []
        return [digest] if digest in read_manifest(self.manifest).get(path.name, []) else []

    def newest(self) -> tuple[dict[str, Any], Path] | None:
        """Load the newest valid checkpoint; None where none was ever written.

        A damaged ``last.pt`` is renamed to ``last.pt.corrupt``, with a warning.

        Raises:
            CheckpointError: there are checkpoints, but none is valid.
        """
        found = [path for path in (self.last, self.previous, self.best) if path.exists()]
        problems = []
        for path in found:
            try:
                state = load_checkpoint(path)
            except CheckpointError as error:
                problems.append(str(error))
                aside = path.with_name(f"{path.name}.corrupt")
                os.replace(path, aside)
                log.warning("%s It is kept as %s.", error, aside.name)
            else:
                if problems:
                    log.warning("Going on from %s, at step %d.", path, state["progress"]["step"])
                if path == self.last and _is_best(state):
                    self._complete_save(path)
                return state, path
        if problems:
            raise CheckpointError(
                "\n".join([*problems, "No other checkpoint of this run is whole. Start it anew."])
            )
        return None

    def _complete_save(self, path: Path) -> None:
        """Write ``best.pt`` where the save of the best epoch was cut short before it."""
        content = read_file(path)
        if self._vouched_hash(self.best) != [hashlib.sha256(content).hexdigest()]:
            with atomic_write(self.best, len(content)) as file:
                file.write(content)


def in_own_memory(state: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with copies of tensors that are part of larger ones: PyTorch would save all
    of the memory that they lie in. What was one tensor in several places stays one."""
    copies: dict[tuple[int, tuple[int, ...]], Tensor] = {}

    def owned(value: Any) -> Any:
        if isinstance(value, Tensor):
            if value.untyped_storage().nbytes() == value.numel() * value.element_size():
                return value
            return copies.setdefault((value.data_ptr(), tuple(value.shape)), value.detach().clone())
        if isinstance(value, Mapping):
            items = {key: owned(each) for key, each in value.items()}
            return items if any(items[key] is not each for key, each in value.items()) else value
        return value

    return dict(owned(state))


def _inode(path: Path) -> tuple[int, int] | None:
    """What tells a folder from another of the same name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_best(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint was saved at the end of what is the best epoch so far."""
    selection, progress = state["selection"], state["progress"]
    best = selection.get("best") if isinstance(selection, dict) else None
    epoch = best.get("epoch") if isinstance(best, dict) else None
    return bool(epoch == progress["epoch"] and progress["batch"] == 0)


def read_manifest(path: Path) -> dict[str, list[str]]:
    """File name to the SHA-256 hashes that it may have; empty where there is no manifest."""
    try:
        manifest = read_json(path)
    except DataError:
        return {}
    well_formed = isinstance(manifest, dict) and all(
        isinstance(hashes, list) for hashes in manifest.values()
    )
    return manifest if well_formed else {}


def load_checkpoint(path: Path, map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Verify a checkpoint and read it.

    The file is verified against its hash in the manifest beside it, and against the checksums that
    the zip format keeps of each tensor, which ``torch.load`` does not check.

    Raises:
        CheckpointError: missing, damaged, with numbers that are not finite, or not a checkpoint of
            this package; nothing in it was executed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint.")
    try:
        content = read_file(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    vouched = read_manifest(path.with_name("manifest.json")).get(path.name)
    if vouched and hashlib.sha256(content).hexdigest() not in vouched:
        raise CheckpointError(
            f"{path}: damaged: its {len(content):,} bytes do not have the SHA-256 that they were"
            " written with."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > len(content):
                # PyTorch compresses nothing; a small file could fill the memory.
                raise ValueError("its records unpack to more than the file")
            if len(archive.infolist()) > MAX_RECORDS:
                raise ValueError(f"it holds more than {MAX_RECORDS:,} records")
            damaged = archive.testzip()
        if damaged is None:
            buffer = io.BytesIO(content)
            state: Any = torch.load(buffer, map_location=map_location, weights_only=True)
    except Exception as error:  # The bytes are not ours: the readers raise errors of many types.
        raise CheckpointError(f"{path}: {_read_problem(error)}") from error
    if damaged is not None:
        raise CheckpointError(f"{path}: damaged: {damaged} does not match its checksum.")
    if problem := layout_problem(state):
        raise CheckpointError(f"{path}: {problem}")
    return dict(state)


def _read_problem(error: Exception) -> str:
    # By its name, for nothing here imports that module. PyTorch's own words propose to load the
    # objects all the same.
    if type(error).__name__ == "UnpicklingError":
        return (
            "not a checkpoint of mnist-train: it holds objects other than tensors and plain values,"
            " which are never loaded."
        )
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return f"cannot be read as a checkpoint: {reason}"


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """One hash of all weights: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
