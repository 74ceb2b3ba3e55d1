"""Saving and loading the state of a run: tensors and plain values only, in one atomic write."""

import hashlib
import io
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mnist_trainer.errors import CheckpointError
from mnist_trainer.run_folder import atomic_write

FORMAT = 1
REQUIRED = ("format", "weights", "config", "progress")


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        MachineError: it could not be written; an older one of that name is untouched.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def load_checkpoint(path: Path, map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint that ``save_checkpoint`` wrote.

    Raises:
        CheckpointError: missing, damaged, or not a checkpoint of this package; nothing in it was executed.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint.")
    try:
        # torch.load does not check the sums that the zip format keeps of each tensor.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise CheckpointError(f"{path}: damaged: {damaged} does not match its checksum.")
        state: Any = torch.load(path, map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # The bytes are not ours: what the readers raise of them is whatever they hold.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {reason}") from error
    if not isinstance(state, dict) or any(key not in state for key in REQUIRED):
        raise CheckpointError(f"{path}: not a checkpoint of mnist-train.")
    if state["format"] != FORMAT:
        raise CheckpointError(f"{path}: format {state['format']}, this version reads format {FORMAT}.")
    return state


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """One hash of all weights: names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def random_state() -> dict[str, Any]:
    """State of every random number generator that a run may draw from."""
    numpy_state = np.random.get_state(legacy=False)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": random.getstate(),
        "numpy": {
            "key": numpy_state["state"]["key"].tolist(),
            "pos": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
    }


def seed_everything(seed: int) -> None:
    """Seed every random number generator that a run may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
