"""Fit the temperature of a network's probabilities, and the least probability of a sure answer."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from mnist_trainer.errors import DataError
from mnist_trainer.runs.calibration import Calibration

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TEMPERATURES = (0.05, 20.0)
"""Least and largest temperature that is looked for."""
SURE = 0.99
"""Share of the sure answers that must be right."""


def calibrate_logits(logits: Floats, labels: Ints, weights_sha256: str) -> Calibration:
    """Fit both on pictures that the network was not trained with.

    Args:
        logits: (N, C).
        labels: (N,).

    Raises:
        DataError: there are no pictures.
    """
    if len(labels) == 0:
        raise DataError("calibration: no pictures to fit it on.")
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits / temperature, axis=1)
    least = least_sure_probability(
        probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    )
    return Calibration(temperature, least, len(labels), weights_sha256)


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The temperature at which the mean negative log-likelihood of the labels is least."""

    def loss(log_temperature: float) -> float:
        shares = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(shares[np.arange(len(labels)), labels].mean())

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return float(np.exp(found.x))


def least_sure_probability(confidences: Floats, correct: NDArray[np.bool_]) -> float:
    """The least probability from which on a share ``SURE`` of the answers is right; 1 where there
    is none.

    Args:
        confidences: the probability of each answer, (N,).
        correct: whether it was right, (N,).
    """
    order = np.argsort(-confidences, kind="stable")
    shares = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    # Of equal probabilities all are sure, or none: only the last of them is looked at.
    ordered = confidences[order]
    last = np.append(ordered[1:] < ordered[:-1], True)
    sure = np.flatnonzero((shares >= SURE) & last)
    return float(ordered[sure[-1]]) if len(sure) else 1.0
