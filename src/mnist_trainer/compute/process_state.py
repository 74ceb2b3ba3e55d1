"""Leave the settings of a process as they were: random generators, threads, algorithms."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mnist_trainer.compute.device import unchanged_threads
from mnist_trainer.compute.rng import restore_rng_state, rng_state

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def unchanged_process() -> Iterator[None]:
    """Restore what a run sets for the whole process, so that it can be made in a process that does
    other things too."""
    random_state, cudnn = rng_state(), torch.backends.cudnn
    chosen = cudnn.deterministic, cudnn.benchmark
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    workspace = os.environ.get(CUBLAS)
    try:
        with unchanged_threads():
            yield
    finally:
        restore_rng_state(random_state)
        cudnn.deterministic, cudnn.benchmark = chosen
        torch.use_deterministic_algorithms(is_deterministic, warn_only=warns_only)
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        if workspace is None:
            os.environ.pop(CUBLAS, None)
