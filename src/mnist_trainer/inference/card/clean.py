"""Accuracy on the test images as they are, and without those whose label is disputed."""

from typing import Any

import numpy as np

from mnist_trainer.inference.card.subject import Begin, Subject, accuracy

STEPS = 1
DISPUTED = (
    947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729,
)  # fmt: skip
"""Test images of MNIST whose label most people rejected (Northcutt, Athalye and Mueller, Pervasive
label errors in test sets destabilize machine learning benchmarks, 2021)."""
WITH_MNIST_TEST = ("mnist", "mnist_printed")
"""Data sets whose test images are MNIST's, in its order."""


def score_clean(subject: Subject, begin: Begin) -> dict[str, Any]:
    """Accuracy, the predictions of the disputed images, and the accuracy without them."""
    begin("clean accuracy")
    correct = subject.correct
    values = accuracy(int(correct.sum()), len(correct))
    disputed = disputed_indexes(subject.settings.name, len(correct))
    if not len(disputed):
        return values
    others = np.delete(correct, disputed)
    values["disputed"] = [_prediction(subject, int(index)) for index in disputed]
    if len(others):
        values["without_disputed"] = accuracy(int(others.sum()), len(others))
    return values


def disputed_indexes(data: str, images: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """The disputed ones among the first ``images`` test images of a data set."""
    known = DISPUTED if data in WITH_MNIST_TEST else ()
    return np.array([index for index in known if index < images], dtype=np.int64)


def _prediction(subject: Subject, index: int) -> dict[str, Any]:
    probabilities, names = subject.probabilities[index], subject.trained.class_names
    predicted = int(probabilities.argmax())
    label = int(subject.test.labels[index])
    return {
        "index": index,
        "label": names[label],
        "predicted": names[predicted],
        "probability": float(probabilities[predicted]),
    }
