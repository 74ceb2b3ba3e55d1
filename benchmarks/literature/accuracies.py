"""Measurements of test accuracy: single recipes, pairs of recipes, and the spread over seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from benchmarks.literature import recipes
from benchmarks.literature.registered import (
    CONTROL,
    ORDER,
    POLYLOSS,
    SMALLEST_DIFFERENCE,
    VARIANCE,
)
from benchmarks.literature.runs import Runs
from benchmarks.literature.verdict import Estimate, mean_over_seeds, pairs_needed
from mnist_trainer.errors import DataError
from mnist_trainer.inference.trained_run import TrainedRun
from mnist_trainer.runs.predictions import read_predictions

Estimates = Mapping[str, Estimate]


def accuracies(runs: Runs, words: Sequence[str], seeds: int) -> list[float]:
    """Test accuracy of a recipe in percent, one of each seed."""
    trained = runs.train(words, seeds)
    return [100 * float(runs.test_result(run)["accuracy"]) for run in trained]


def resolution(runs: Runs) -> float:
    """One test image, in percent."""
    return 100 / (1_000 if runs.quick else 10_000)


def measure_control(runs: Runs) -> Estimates:
    """Accuracy of a linear network."""
    values = accuracies(runs, recipes.LINEAR, CONTROL.needed)
    return {CONTROL.name: mean_over_seeds(values, resolution(runs))}


def paired_difference(
    better: Sequence[float], worse: Sequence[float], step: float, **details: Any
) -> Estimate:
    """Mean of the differences within pairs, ``better`` minus ``worse``."""
    values = [above - below for above, below in zip(better, worse, strict=True)]
    return mean_over_seeds(
        values, step, details, "95 %, Student's t, of the mean of paired differences"
    )


def measure_order(runs: Runs) -> Estimates:
    """Differences of accuracy between models, by the number of training images."""
    found = {}
    for per_class in recipes.FEW:
        scores = {
            model: accuracies(runs, recipes.few_images(model, per_class), ORDER[0].needed)
            for model in recipes.FEW_MODELS
        }
        for better, worse in (("two_layer", "linear"), ("cnn", "two_layer")):
            means = {model: float(np.mean(scores[model])) for model in (better, worse)}
            found[f"order-{10 * per_class}-{better}-over-{worse}"] = paired_difference(
                scores[better], scores[worse], resolution(runs), mean_accuracy=means
            )
    return found


def measure_poly(runs: Runs) -> Estimates:
    """Poly-1 minus cross entropy."""
    poly = accuracies(runs, recipes.POLY, POLYLOSS.needed)
    plain = accuracies(runs, recipes.CROSS_ENTROPY, POLYLOSS.needed)
    sd = max(float((np.array(poly) - np.array(plain)).std(ddof=1)), resolution(runs))
    means = {"poly": float(np.mean(poly)), "cross_entropy": float(np.mean(plain))}
    pairs = pairs_needed(sd, SMALLEST_DIFFERENCE)
    found = paired_difference(
        poly, plain, resolution(runs), mean_accuracy=means, pairs_for_0_05_points=pairs
    )
    return {POLYLOSS.name: found}


def measure_variance(runs: Runs) -> Estimates:
    """Spread of the accuracy over seeds, beside that of independent errors."""
    trained = runs.train(recipes.SMALL_MLP, VARIANCE.needed)
    return {VARIANCE.name: spread_ratio(np.stack([correct_of(run) for run in trained]))}


def correct_of(run: TrainedRun) -> NDArray[np.bool_]:
    """Which test images a run has classified correctly, (N,), as it has recorded itself.

    Raises:
        DataError: it has recorded none.
    """
    path = run.folder.predictions if run.folder else None
    predictions = read_predictions(path) if path else None
    if predictions is None:
        raise DataError(f"{path}: the predictions of the run are missing")
    return predictions.right


def spread_ratio(correct: NDArray[np.bool_]) -> Estimate:
    """Standard deviation of the accuracy over seeds, divided by that of independent errors.

    With p_i the probability over seeds that image i is classified correctly, independence gives the
    number of correct answers the variance ``sum p_i (1 - p_i)``; what the seeds' answers share adds
    the covariances of all pairs of images. ``K / (K - 1)`` makes the estimate of the sum unbiased.

    Args:
        correct: (K, N): seeds, images.
    """
    seeds, images = correct.shape
    numbers = correct.sum(axis=1).astype(float)
    share = correct.mean(axis=0)
    independent = float((share * (1 - share)).sum()) * seeds / (seeds - 1)
    ratio = float(np.sqrt(numbers.var(ddof=1) / independent)) if independent else float("nan")
    freedom = seeds - 1
    low, high = (float(ratio * np.sqrt(freedom / chi2.ppf(p, freedom))) for p in (0.975, 0.025))
    details = {
        "sd_points": 100 * float(numbers.std(ddof=1)) / images,
        "sd_independent_points": 100 * float(np.sqrt(independent)) / images,
        "mean_accuracy": 100 * float(share.mean()),
        "mean_error_overlap": error_overlap(correct),
    }
    values = (100 * numbers / images).tolist()
    return Estimate(ratio, low, high, seeds, "95 %, chi-square", values, details)


def error_overlap(correct: NDArray[np.bool_]) -> float:
    """Share of a seed's errors that another seed makes, too, the mean over pairs of seeds."""
    wrong = (~correct).astype(float)
    shared = wrong @ wrong.T
    own = np.diag(shared)
    others = shared.sum(axis=1) - own
    return float(others.sum() / max(1.0, own.sum() * (len(correct) - 1)))
