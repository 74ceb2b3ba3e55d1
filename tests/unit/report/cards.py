"""An evaluation card as mnist-eval writes it, for reports to read."""

from typing import Any

OFFSETS, ANGLES = [-1, 0, 1], [-45.0, 0.0]


def share(correct: int, images: int = 100) -> dict[str, Any]:
    value = correct / images
    return {
        "correct": correct,
        "images": images,
        "accuracy": value,
        "accuracy_interval_95": [value - 0.05, value + 0.02],
    }


def published(value: float) -> dict[str, Any]:
    return {"value": value, "model": "a CNN", "source": "A paper"}


def kind(name: str, correct: int) -> dict[str, Any]:
    strengths = [{"strength": each, **share(correct - each)} for each in range(1, 6)]
    about = {"name": name, "published_strength": 3, "seen_in_training": name == "fog"}
    return {**about, **share(correct), "strengths": strengths}


def answers(error: float) -> dict[str, Any]:
    return {
        "expected_calibration_error": error,
        "expected_calibration_error_interval_95": [error / 2, error * 2],
        "negative_log_likelihood": 0.1,
        "mean_confidence": 0.9,
        "bins": [{"confidence": 0.9, "accuracy": 0.88, "images": 90}],
    }


def card(weights: str = "w", correct: int = 95) -> dict[str, Any]:
    """A card of all parts, with QMNIST left out.

    Args:
        weights: hash of the weights that it is of.
        correct: images of 100 that are classified correctly.
    """
    curve = [{"epsilon": each, **share(int(correct * (1 - each)))} for each in (0.0, 0.1, 0.3)]
    parts = {
        "clean": {
            **share(correct),
            "disputed": [{"index": 947, "label": "8", "predicted": "9", "probability": 0.7}],
            "without_disputed": share(correct, 99),
        },
        "qmnist": {"skipped": "not in the cache"},
        "corruptions": {
            "images": 100,
            "kinds": [kind("fog", correct - 20), kind("shear", correct - 10)],
            "mean": {"accuracy": 0.8, "accuracy_interval_95": [0.7, 0.9],
                "published": published(0.78)},
        },
        "attacks": {
            "images": 100,
            "steps": 20,
            "restarts": 1,
            "fgsm": curve,
            "pgd": curve,
            "masked": None,
            "examples": [{"label": "4", "predicted": "9", "epsilon": 0.1}],
            "published": {"fgsm": published(0.964), "pgd": published(0.925)},
        },
        "unknown": {
            "errors": {"images": 100, "errors": 5, "auroc": 0.97,
                       "auroc_interval_95": [0.95, 0.98], "published": published(0.978)},
            "kinds": [
                {"name": "blank", "images": 256, "auroc": 1.0, "auroc_interval_95": None,
                 "mean_confidence": 0.2, "published": None},
                {"name": "fashion_mnist", "skipped": "not in the cache"},
            ],
            "answered": [
                {"coverage": each, "images": int(100 * each), "accuracy": 0.99}
                for each in (1.0, 0.9)
            ],
        },
        "calibration": {
            "images": 100,
            "fitted_on": 50,
            "temperature": 0.9,
            "before": answers(0.02),
            "after": answers(0.01),
        },
        "shifts": {
            "images": 100,
            "offsets": OFFSETS,
            "angles": ANGLES,
            "unmoved": share(correct),
            "shift_map": [[0.5, 0.9, 0.99]] * len(OFFSETS),
            "rotation_map": [[0.5, 0.9, 0.99]] * len(ANGLES),
            "mean_over_shifts": 0.6,
            "mean_over_rotations": 0.7,
        },
    }  # fmt: skip
    return {
        "format": "mnist-eval card 1",
        "effort": "quick",
        "seed": 0,
        "recipe": "cnn-sgd",
        "checkpoint": {"file": "run/best.pt", "epoch": 1, "step": 10, "weights_sha256": weights},
        "device": "cpu",
        "precision": "fp32",
        "data": "mnist",
        "seconds": {"clean": 1.0},
        "parts": parts,
    }
