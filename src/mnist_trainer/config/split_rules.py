"""Which validation images can be held out, and which cannot.

No torch here: a mistake is answered before it is imported.
"""

from collections.abc import Iterator

from mnist_trainer.config.settings import NUM_TRAINING_IMAGES, DataSettings


def too_many_held_out(dataset: object, size: int) -> str | None:
    """What is wrong with ``data.validation_size``; None where nothing is."""
    available = NUM_TRAINING_IMAGES.get(str(dataset))
    if available is None or size < available:
        return None
    return f"must be less than the {available:,} training images of {dataset}"


def fold_problems(data: DataSettings) -> Iterator[str]:
    """A sentence for what is wrong with the choice of a fold."""
    folds, fold = data.folds, data.fold
    if folds is None and fold is not None:
        yield f"data.fold={fold}: of how many? Add data.folds={max(5, fold + 1)}"
    elif folds is not None and fold is None:
        yield (
            f"data.folds={folds}: name the fold to validate on, data.fold=0 to {folds - 1}; all of"
            f" them: mnist-train -m data.folds={folds} 'data.fold=range({folds})'"
        )
    elif folds is not None and fold is not None and fold >= folds:
        yield f"data.fold={fold}: must be 0 to {folds - 1} with data.folds={folds}"
