"""QMNIST's test images: the 10,000 that MNIST has, and the 50,000 that were lost, apart."""

import dataclasses
from typing import Any

from mnist_trainer.data.embedded import DIGITS
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.errors import DataError
from mnist_trainer.inference.card.published import QMNIST
from mnist_trainer.inference.card.subject import Begin, Subject, accuracy_of
from mnist_trainer.inference.scoring.evaluation_result import data_settings
from mnist_trainer.inference.scoring.qmnist import qmnist_parts

STEPS = 2
NOT_DIGITS = "the network does not tell ten digits apart"


def score_qmnist(subject: Subject, begin: Begin) -> dict[str, Any]:
    """Accuracy on each of the two parts; nothing is downloaded."""
    if subject.trained.class_names != DIGITS:
        return {"skipped": NOT_DIGITS}
    settings = data_settings(subject.trained, "qmnist", subject.settings.root)
    try:
        test = load_dataset(dataclasses.replace(settings, download=False)).test
    except DataError:
        return {
            "skipped": "not in the cache of data sets, and a card downloads nothing; to fetch it:"
            " mnist-eval RUN --data qmnist"
        }
    values = {}
    for name, part in qmnist_parts(len(test)).items():
        begin(f"QMNIST, {name}")
        scored = accuracy_of(subject.trained, test.select(part))
        values[name] = {**scored, "published": QMNIST[name]}
    return values
