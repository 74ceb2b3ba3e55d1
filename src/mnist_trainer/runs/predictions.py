"""predictions.npz: the predicted class of each test image. No torch here: reports read it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import DataError
from mnist_trainer.runs.npz import Array, read_npz, write_npz

MAX_BYTES = 64 * 2**20
ARRAYS = ("predicted", "probability", "truth", "class_names")


@dataclass(frozen=True)
class Predictions:
    """One prediction per image, in the order of the test set."""

    predicted: NDArray[np.uint16]
    """Class with the largest probability, (N,)."""
    probability: NDArray[np.float32]
    """Predicted probability of that class, 0 to 1, (N,)."""
    truth: NDArray[np.uint16]
    """True class, (N,)."""
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is classified correctly, (N,)."""
        return np.asarray(self.predicted == self.truth)

    def confusion(self) -> NDArray[np.int64]:
        """Confusion matrix: images by true class (row) and predicted class (column)."""
        size = 1 + max(
            len(self.class_names) - 1,
            int(self.predicted.max(initial=0)),
            int(self.truth.max(initial=0)),
        )
        counts = np.zeros((size, size), dtype=np.int64)
        np.add.at(counts, (self.truth, self.predicted), 1)
        return counts

    def name_of(self, label: int) -> str:
        """Name of a class; its number where it has none, as an output beyond the classes."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def worst(self, limit: int) -> NDArray[np.int64]:
        """Indices of the misclassified images of highest probability, the highest first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.probability[wrong], kind="stable")][:limit]


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write predictions atomically, as an .npz that loads with ``allow_pickle=False``.

    Raises:
        MachineError: the file could not be written.
    """
    arrays: dict[str, Array] = {
        "predicted": predictions.predicted,
        "probability": predictions.probability,
        "truth": predictions.truth,
        "class_names": np.array(predictions.class_names, dtype=np.str_),
    }
    write_npz(path, arrays)


def read_predictions(path: Path) -> Predictions | None:
    """Read predictions; None where there is no file, as in runs of older versions.

    Raises:
        DataError: the file is damaged, or not one of predictions.
    """
    if not path.exists():
        return None
    arrays = read_npz(path, MAX_BYTES, "predictions")
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise DataError(f"{path}: cannot be read as predictions: it holds no {missing[0]}.")
    predicted, probability, truth, names = (arrays[name] for name in ARRAYS)
    shapes = {predicted.shape, probability.shape, truth.shape}
    kinds = (predicted.dtype.kind, probability.dtype.kind, truth.dtype.kind, names.dtype.kind)
    if len(shapes) != 1 or predicted.ndim != 1 or kinds != ("u", "f", "u", "U"):
        raise DataError(
            f"{path}: not a file of predictions: its arrays have the shapes {sorted(shapes)}."
        )
    return Predictions(
        predicted.astype(np.uint16),
        probability.astype(np.float32),
        truth.astype(np.uint16),
        tuple(map(str, names.ravel())),
    )
