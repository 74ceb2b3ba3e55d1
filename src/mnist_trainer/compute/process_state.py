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
    algorithms = _algorithms()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    workspace = os.environ.get(CUBLAS)
    try:
        with unchanged_threads():
            yield
    finally:
        restore_rng_state(random_state)
        cudnn.deterministic, cudnn.benchmark = chosen
        if _algorithms() != algorithms:
            # The call loads PyTorch's compiler, which takes as long as all the rest of torch.
            torch.use_deterministic_algorithms(algorithms[0], warn_only=algorithms[1])
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        if workspace is None:
            os.environ.pop(CUBLAS, None)


def _algorithms() -> tuple[bool, bool]:
    """Whether algorithms must be deterministic, and whether others only give a warning."""
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
