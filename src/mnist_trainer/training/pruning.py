"""A run that is a trial of a search, which may give it up after any epoch."""

from collections.abc import Callable

from mnist_trainer.errors import PrunedError
from mnist_trainer.runs.metrics import Metrics

ShouldPrune = Callable[[int, Metrics], bool]
"""Of an epoch and its validation metrics: whether a search gives the run up."""


def stop_if_pruned(
    should_prune: ShouldPrune | None, epoch: int, epochs: int, validation: Metrics | None
) -> None:
    """Raise PrunedError where the search gives the run up.

    Args:
        epoch: the epochs that are trained.
        epochs: the epochs of the whole run; after the last there is nothing to give up.
        validation: of this epoch; None where there are no validation images.
    """
    if validation is None or should_prune is None:
        return
    if should_prune(epoch, validation) and epoch < epochs:
        message = f"after epoch {epoch}, validation {100 * validation.accuracy:.2f} %"
        raise PrunedError(message, epoch, validation)
