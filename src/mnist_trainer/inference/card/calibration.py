"""Calibration before and after temperature scaling, which is fitted on validation images only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from mnist_trainer.inference.card.subject import Begin, Subject, percentiles
from mnist_trainer.inference.scoring.calibration import fit_temperature
from mnist_trainer.inference.scoring.evaluation_result import load_split
from mnist_trainer.inference.scoring.metrics import Floats, Ints, calibrate

STEPS = 2
NO_VALIDATION = (
    "the run held out no validation images (data.validation_size=0); its training images would make"
    " it too sure, and test images are for testing. Train with data.validation_size=5000"
)


def score_calibration(subject: Subject, begin: Begin) -> dict[str, Any]:
    """Expected calibration error on the test images, before and after (Guo et al. 2017)."""
    begin("calibration: fit on validation images")
    temperature, images = fit_on_validation(subject)
    begin("calibration: bootstrap")
    logits, labels = subject.logits.double().numpy(), subject.test.labels.numpy()
    before = _Answers.of(logits, labels)
    values: dict[str, Any] = {"images": len(labels), "fitted_on": images}
    draws = (subject.effort.resamples, subject.seed)
    if temperature is None:
        values |= {"temperature": None, "not_fitted": NO_VALIDATION}
        return values | {"before": before.as_json(resampled_errors(before, *draws))}
    after = _Answers.of(logits / temperature, labels)
    # The same resamples of images for both: their difference is of pairs.
    errors = [resampled_errors(each, *draws) for each in (before, after)]
    found = after.error - before.error
    interval = basic_interval(found, errors[1] - errors[0])
    return values | {
        "temperature": temperature,
        "before": before.as_json(errors[0]),
        "after": after.as_json(errors[1]),
        "difference": {"value": found, "interval_95": list(interval)},
    }


def fit_on_validation(subject: Subject) -> tuple[float | None, int]:
    """The temperature, and on how many validation images it was fitted; None and 0 where the run
    held out none."""
    if not subject.settings.holds_out:
        return None, 0
    _, held_out = load_split(subject.trained, subject.settings, "validation")
    logits = subject.trained.logits(held_out.images).double().numpy()
    return fit_temperature(logits, held_out.labels.numpy()), len(held_out)


@dataclass(frozen=True)
class _Answers:
    """Predictions at one temperature."""

    confidence: Floats
    """(N,), probability of the predicted class."""
    correct: "np.ndarray[Any, np.dtype[np.bool_]]"
    """(N,)."""
    loss: float
    """Mean negative log-likelihood of the labels."""

    @classmethod
    def of(cls, logits: Floats, labels: Ints) -> "_Answers":
        probabilities = softmax(logits, axis=1)
        loss = -log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean()
        correct = probabilities.argmax(axis=1) == labels
        return cls(probabilities.max(axis=1), correct, float(loss))

    @property
    def error(self) -> float:
        return calibrate(self.confidence, self.correct).error

    def as_json(self, errors: Floats) -> dict[str, Any]:
        low, high = basic_interval(self.error, errors)
        return {
            "expected_calibration_error": self.error,
            "expected_calibration_error_interval_95": [max(0.0, low), max(0.0, high)],
            "negative_log_likelihood": self.loss,
            "mean_confidence": float(self.confidence.mean()),
            "bins": calibrate(self.confidence, self.correct).by_bin(),
        }


def resampled_errors(answers: _Answers, resamples: int, seed: int) -> Floats:
    """Expected calibration errors of images drawn with replacement, (resamples,)."""
    rng, count = np.random.default_rng(seed), len(answers.correct)
    errors = np.empty(resamples)
    for number in range(resamples):
        drawn = rng.integers(count, size=count)
        errors[number] = calibrate(answers.confidence[drawn], answers.correct[drawn]).error
    return errors


def basic_interval(value: float, resampled: Floats) -> tuple[float, float]:
    """The basic bootstrap interval (Davison and Hinkley 1997, section 5.2): a resample is as far
    above the value as the value is above the truth, in which the bias upwards of a calibration
    error cancels."""
    low, high = percentiles(resampled)
    return 2 * value - high, 2 * value - low
