"""Seed, save and restore the global random number generators of Python, NumPy and PyTorch."""

import random
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def rng_state() -> dict[str, Any]:
    """State of all generators, as tensors and plain values for a checkpoint."""
    numpy_state: Any = np.random.get_state(legacy=False)
    version, internal, gauss_next = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(internal), gauss_next],
        "numpy": {
            "key": numpy_state["state"]["key"].tolist(),
            "pos": int(numpy_state["state"]["pos"]),
            "has_gauss": int(numpy_state["has_gauss"]),
            "gauss": float(numpy_state["gauss"]),
        },
    }


def host_rng_state() -> tuple[object, ...]:
    """State of the CPU generators, to compare: it differs once a number was drawn."""
    numpy_state: Any = np.random.get_state(legacy=False)
    inner = numpy_state["state"]
    return (
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        inner["key"].tobytes(),
        inner["pos"],
    )


def restore_rng_state(state: dict[str, Any]) -> None:
    """Restore all generators; those of CUDA devices only if there are as many as there were."""
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([each.cpu() for each in state["cuda"]])
    version, internal, gauss_next = state["python"]
    random.setstate((version, tuple(internal), gauss_next))
    numpy_state = state["numpy"]
    np.random.set_state(
        (
            "MT19937",
            np.array(numpy_state["key"], dtype=np.uint32),
            numpy_state["pos"],
            numpy_state["has_gauss"],
            numpy_state["gauss"],
        )
    )
