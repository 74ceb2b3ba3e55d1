"""The little of ``sklearn.base`` and ``sklearn.utils`` that ``MnistClassifier`` needs, for where
scikit-learn is not installed."""

import inspect
from typing import Any

import numpy as np

from mnist_trainer.errors import ConfigError


class NotFittedError(ValueError, AttributeError):
    """``fit`` was not called yet."""


class ClassifierMixin:
    def score(self, X: Any, y: Any) -> float:
        """Accuracy on images and labels."""
        return float(np.mean(self.predict(X) == np.asarray(y)))  # type: ignore[attr-defined]


class BaseEstimator:
    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """The parameters by name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **params: Any) -> Any:
        """Set parameters by name."""
        for name, value in params.items():
            if name not in (known := self.get_params()):
                raise ConfigError(f"{name}: no parameter. Valid: {', '.join(known)}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({values})"


def check_classification_targets(y: Any) -> None:
    """Labels are not checked: what compares as equal is one class."""


def check_is_fitted(estimator: Any) -> None:
    if not hasattr(estimator, "classes_"):
        raise NotFittedError("this MnistClassifier is not fitted yet: call fit(X, y) first.")


def validate_data(_: Any, X: Any, y: Any = None, **__: Any) -> Any:
    """Arrays of equal length."""
    X = np.asarray(X)
    if y is None:
        return X
    y = np.asarray(y)
    if y.shape != (len(X),) or not len(X):
        raise ValueError(f"X has {len(X)} images, y the shape {y.shape}: must be as many, in (n,).")
    return X, y
