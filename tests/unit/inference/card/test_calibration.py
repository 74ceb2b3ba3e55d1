"""Temperature scaling: fitted on validation images alone, and found again where it is known."""

import dataclasses

import numpy as np
import pytest
import torch

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.inference.card import calibration
from mnist_trainer.inference.card.calibration import basic_interval, score_calibration
from mnist_trainer.inference.card.subject import Subject
from mnist_trainer.inference.scoring.calibration import fit_temperature
from mnist_trainer.inference.scoring.evaluation_result import load_split


def silent(name: str) -> None:
    """No progress is shown."""


def test_the_fit_sees_the_validation_images_and_no_others(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, held_out = load_split(subject.trained, subject.settings, "validation")
    fits = []

    def watched(logits: np.ndarray, labels: np.ndarray) -> float:
        fits.append((logits, labels))
        return fit_temperature(logits, labels)

    monkeypatch.setattr(calibration, "fit_temperature", watched)
    found = score_calibration(subject, silent)
    ((logits, labels),) = fits
    assert np.array_equal(labels, held_out.labels.numpy())
    assert np.array_equal(logits, subject.trained.logits(held_out.images).double().numpy())
    assert found["fitted_on"] == len(held_out) == 50


def test_other_test_images_leave_the_temperature(subject: Subject) -> None:
    order = torch.randperm(len(subject.test), generator=torch.Generator().manual_seed(0))
    wrong = LabelledImages(255 - subject.test.images, subject.test.labels[order])
    changed = dataclasses.replace(subject, test=wrong)
    found, other = (score_calibration(each, silent) for each in (subject, changed))
    assert found["temperature"] == other["temperature"]
    assert found["before"] != other["before"]


def test_without_validation_images_nothing_is_fitted(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> float:
        raise AssertionError("there is nothing to fit on")

    monkeypatch.setattr(calibration, "fit_temperature", refused)
    settings = dataclasses.replace(subject.settings, validation_size=0)
    found = score_calibration(dataclasses.replace(subject, settings=settings), silent)
    assert found["temperature"] is None
    assert "data.validation_size=5000" in found["not_fitted"]
    assert "after" not in found


def test_a_known_temperature_is_recovered() -> None:
    """Labels drawn from softmax(logits): logits three times as large want a temperature of 3."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 10))
    noise = rng.gumbel(size=logits.shape)
    labels = (logits + noise).argmax(axis=1)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.03)


def test_scaling_keeps_every_prediction(subject: Subject) -> None:
    found = score_calibration(subject, silent)
    before, after = found["before"], found["after"]
    for each in (before, after):
        right = sum(row["accuracy"] * row["images"] for row in each["bins"])
        assert right == pytest.approx(subject.correct.sum())
        low, high = each["expected_calibration_error_interval_95"]
        assert 0 <= low <= high
    errors = [each["expected_calibration_error"] for each in (before, after)]
    assert found["difference"]["value"] == pytest.approx(errors[1] - errors[0])


def test_the_basic_interval_turns_the_percentiles_over() -> None:
    low, high = basic_interval(1.0, np.linspace(1.0, 2.0, 1001))
    assert [low, high] == pytest.approx([0.025, 0.975])
