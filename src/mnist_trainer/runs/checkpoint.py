"""Saving and loading the state of a run: tensors and plain values only, each file whole, verified
before it is used."""

import hashlib
import io
import json
import logging
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.errors import CheckpointError
from mnist_trainer.system.files import atomic_write, replace_by_link, write_json

log = logging.getLogger(__name__)

FORMAT = 1
KEYS = {
    "format", "weights", "config", "choices", "class_names", "progress", "random", "metrics_bytes",
    "model", "optimizer", "scheduler", "scaler", "selection", "epoch_meter", "interval_meter", "averaged", "seconds",
}  # fmt: skip
# Checkpoints of before 2026-11-21 do not tell the time.
REQUIRED = KEYS - {"averaged", "seconds"}
COUNTS = ("epoch", "batch", "step")
PURPOSES = {"setup", "train", "eval", "total"}


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run: the last, the one before it, the best; and the hashes that vouch
    for them.

    A save passes through these states: hashes of old and new written; ``previous.pt`` is the old
    last; ``last.pt`` is the new. Whenever it is cut short, every file has a content that the
    manifest vouches for.
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
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, **state}, buffer)
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

    def _vouched_hash(self, path: Path) -> list[str]:
        """The hash of what a file holds now, where the manifest vouches for it; none of a missing
        or damaged file.

        Not what the manifest names first: a save that was cut short has announced a content that
        never came.
        """
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError:
            return []
        return [digest] if digest in read_manifest(self.manifest).get(path.name, []) else []

    def newest(self) -> tuple[dict[str, Any], Path] | None:
        """The newest checkpoint that can be trusted, and its path; None where none was ever
        written.

        A damaged ``last.pt`` is set aside as ``last.pt.corrupt``, and that is said.

        Raises:
            CheckpointError: there are checkpoints, but none that can be trusted.
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
                return state, path
        if problems:
            raise CheckpointError(
                "\n".join([*problems, "No other checkpoint of this run is whole. Start it anew."])
            )
        return None


def read_manifest(path: Path) -> dict[str, list[str]]:
    """File name to the SHA-256 hashes that it may have; empty where there is no manifest."""
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    well_formed = isinstance(manifest, dict) and all(
        isinstance(hashes, list) for hashes in manifest.values()
    )
    return manifest if well_formed else {}


def load_checkpoint(path: Path, map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint, once it has been verified.

    The hash in the manifest beside it vouches for the whole file; without a manifest the sums that
    the zip format keeps of each tensor, which ``torch.load`` does not check.

    Raises:
        CheckpointError: missing, damaged, or not a checkpoint of this package; nothing in it was
            executed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint.")
    content = path.read_bytes()
    vouched = read_manifest(path.with_name("manifest.json")).get(path.name)
    if vouched and hashlib.sha256(content).hexdigest() not in vouched:
        raise CheckpointError(
            f"{path}: damaged: its {len(content):,} bytes do not have the SHA-256 that they were"
            " written with."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"{path}: damaged: {damaged} does not match its checksum.")
        state: Any = torch.load(io.BytesIO(content), map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except (
        Exception
    ) as error:  # The bytes are not ours: what the readers raise of them is whatever they hold.
        if type(error).__name__ == "UnpicklingError":
            # By its name, for nothing here imports that module. PyTorch's own words propose to load
            # them all the same.
            raise CheckpointError(
                f"{path}: not a checkpoint of mnist-train: it holds objects other than tensors and"
                " plain values, which are never loaded."
            ) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {reason}") from error
    check_layout(path, state)
    return dict(state)


def check_layout(path: Path, state: object) -> None:
    """Raises:
    CheckpointError: the keys or types are not those of a checkpoint of this version.
    """
    if not isinstance(state, dict) or "format" not in state:
        raise CheckpointError(f"{path}: not a checkpoint of mnist-train.")
    if state["format"] != FORMAT:
        raise CheckpointError(
            f"{path}: format {state['format']!r}, this version reads format {FORMAT}."
        )
    if not state.keys() >= REQUIRED or not state.keys() <= KEYS:
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its {len(state):,} keys are not those of"
            " one."
        )
    weights, progress, seconds = state["weights"], state["progress"], state.get("seconds", {})
    well_formed = (
        isinstance(state["config"], dict)
        and isinstance(weights, dict)
        and all(
            isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in weights.items()
        )
        and isinstance(progress, dict)
        and progress.keys() <= {"epoch", "batch", "step", "gradient_norms"}
        and all(
            isinstance(count, int) and count >= 0
            for count in (*map(progress.get, COUNTS), state["metrics_bytes"])
        )
        and isinstance(seconds, dict)
        and seconds.keys() <= PURPOSES
        and all(isinstance(spent, float) and 0 <= spent < math.inf for spent in seconds.values())
    )
    if not well_formed:
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its parts are not of the types that they"
            " should be."
        )


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """One hash of all weights: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
