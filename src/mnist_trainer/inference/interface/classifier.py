"""``MnistClassifier``: the trainer as an estimator of scikit-learn, on arrays that it is given.

scikit-learn (1.6 or newer) is no dependency. Without it the estimator fits, predicts and scores as
well; what is scikit-learn's own needs it: ``clone``, pipelines, searches, names of features.
"""

import dataclasses
import signal
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from numbers import Integral
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mnist_trainer.compute.process_state import unchanged_process
from mnist_trainer.config.settings import IMAGE_SIZE, RunConfig
from mnist_trainer.data.arrays import splits_of_arrays
from mnist_trainer.data.split import Splits
from mnist_trainer.errors import ConfigError, InterruptedRunError
from mnist_trainer.inference.loading import load_run
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.launch.hydra.private import separate_hydra
from mnist_trainer.launch.in_process import resolve_in_process, split_words
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import prepare
from mnist_trainer.training.tracking.terminal import Terminal, open_terminal

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    from mnist_trainer.inference.interface.without_sklearn import (
        BaseEstimator,
        ClassifierMixin,
        check_classification_targets,
        check_is_fitted,
        validate_data,
    )

NUM_PIXELS = IMAGE_SIZE**2
MAX_SEED = 2**31 - 1
# Settings that say where images come from and where a run goes, which fit decides.
DECIDED = ("data", "resume", "name", "sweep", "hydra", "seed", "tracker")
DATA_SETTINGS = ("data.loader", "data.num_workers", "data.mean", "data.std")


class MnistClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    """Classify images of 28x28 pixels with a network of this package.

    ``fit`` trains as ``mnist-train`` does, on the images that it is given, and keeps nothing on
    disk. Images are (n, 784) or (n, 28, 28), bright ink on dark ground: whole levels 0 to 255, or
    0 to 1, whichever ``fit`` has seen. Labels are numbers or text.

    Args:
        model: a choice of ``mnist-train model=``, such as cnn, fcn or linear.
        optimizer: a choice of ``mnist-train optimizer=``.
        epochs: passes over the images.
        learning_rate: None is the optimizer's default.
        validation_fraction: share of the images that is held out, stratified, to choose the best
            epoch by; 0 keeps the last one.
        overrides: any other words of ``mnist-train``, such as ``("transforms=augment",)``.
        random_state: the seed; None draws one from NumPy.
        verbose: show the progress.

    Attributes:
        classes_: the labels that ``fit`` has seen, sorted.
        network_: the trained network, a ``TrainedModel``.
    """

    def __init__(
        self,
        model: str = "cnn",
        optimizer: str = "sgd",
        epochs: int = 3,
        learning_rate: float | None = None,
        validation_fraction: float = 0.0,
        overrides: Iterable[str] = (),
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.overrides = overrides
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on images (n, 784) or (n, 28, 28) with their labels (n,).

        Raises:
            ValueError: arrays that are no such images, or labels that do not fit them.
            UserError: what ``mnist-train`` would have reported.
        """
        checked, labels = validate_data(self, _flat(X), y)
        check_classification_targets(labels)
        self.classes_, indexes = np.unique(labels, return_inverse=True)
        is_unit = checked.dtype.kind in "fb" and checked.max() <= 1
        self.scale_ = 255.0 if is_unit else 1.0
        config = self._config(self._seed())
        splits = splits_of_arrays(
            self._images(checked),
            indexes,
            [str(name) for name in self.classes_.tolist()],
            round(self.validation_fraction * len(labels)),
            config.seed,
        )
        self.network_ = _train(config, splits, verbose=self.verbose)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The probability of each of ``classes_``, (n, C)."""
        check_is_fitted(self)
        images = self._images(validate_data(self, _flat(X), reset=False))
        # In double precision the rows sum to 1 as scikit-learn expects.
        return np.asarray(self.network_.logits(images).double().softmax(dim=1).numpy())

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The most probable label of each image, (n,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _seed(self) -> int:
        state: Any = self.random_state
        if isinstance(state, Integral):
            return int(state)
        return int((np.random if state is None else state).randint(MAX_SEED))

    def _config(self, seed: int) -> RunConfig:
        """The settings that the parameters lead to."""
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(
                f"validation_fraction={self.validation_fraction}: must be at least 0 and less than"
                " 1, such as 0.1."
            )
        others = split_words(self.overrides)
        for word in others:
            key = word.lstrip("+~").partition("=")[0]
            if key.partition(".")[0].partition("/")[0] in DECIDED and key not in DATA_SETTINGS:
                raise ConfigError(
                    f"overrides: {word}: MnistClassifier trains on the images that fit is given,"
                    " and keeps nothing on disk. For a run in a folder: train([...]); for the seed:"
                    " random_state."
                )
        words = [
            f"model={self.model}",
            f"optimizer={self.optimizer}",
            f"trainer.epochs={self.epochs}",
            *([] if self.learning_rate is None else [f"optimizer.lr={self.learning_rate}"]),
            *others,
        ]
        with separate_hydra():
            return resolve_in_process([*words, "tracker=none", f"seed={seed}"]).config

    def _images(self, X: NDArray[Any]) -> NDArray[np.uint8]:
        """Rows of pixels as images (n, 28, 28)."""
        if X.shape[1] != NUM_PIXELS:
            raise ValueError(
                f"X has {X.shape[1]} features: MnistClassifier takes images of 28x28 pixels, as"
                " (n, 784) or (n, 28, 28)."
            )
        levels = np.rint(X.astype(np.float64) * self.scale_)
        if len(X) and not 0 <= levels.min() <= levels.max() <= 255:
            top = "1" if self.scale_ > 1 else "255"
            raise ValueError(
                f"X has pixels from {X.min():g} to {X.max():g}: must be 0 to {top}, as in fit"
                " (levels 0 to 255, or 0 to 1; bright ink on dark ground)."
            )
        return levels.astype(np.uint8).reshape(-1, IMAGE_SIZE, IMAGE_SIZE)


def _flat(X: Any) -> Any:
    """Images (n, 28, 28) or (n, 1, 28, 28) as rows of pixels; anything else as it is."""
    return np.asarray(X).reshape(len(X), -1) if getattr(X, "ndim", 2) > 2 else X


def _train(config: RunConfig, splits: Splits, *, verbose: bool) -> TrainedModel:
    """Train as a run does, in a folder that is gone afterwards.

    Ctrl+C and SIGTERM do what the caller has them do, once the step is complete.
    """
    started = time.perf_counter()
    terminal = open_terminal() if verbose else Terminal()
    with tempfile.TemporaryDirectory(prefix="mnist-trainer-") as path:
        folder = RunFolder(Path(path))
        try:
            with unchanged_process():
                trainer = prepare(config, folder, started, terminal, splits=splits)
                outputs = trainer.outputs
                shown, trail = closing(terminal), closing(outputs.trail)
                with trail, outputs.tracker, trainer.interruption, shown, outputs.profile:
                    trainer.run()
        except InterruptedRunError as stop:
            signal.raise_signal(stop.exit_code - 128)
            raise
        selects = config.trainer.test_weights == "best" and outputs.checkpoints.best.exists()
        chosen = outputs.checkpoints.best if selects else outputs.checkpoints.last
        run = load_run(chosen, device=config.device.type)
    # Without what a run is asked for: its data set is not the one that was trained on.
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(TrainedModel)}
    return TrainedModel(**{**fields, "folder": None})
