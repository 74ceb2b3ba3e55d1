"""Area under the ROC curve with its interval, and accuracy against the share answered."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from mnist_trainer.inference.scoring.metrics import Floats

COVERAGES = (1.0, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)


def auroc(positive: Floats, negative: Floats) -> dict[str, Any] | None:
    """Probability that a positive scores higher than a negative, a tie counting half; with DeLong's
    95 % interval on the logit scale. None where there are none of either.

    Source: DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated
    receiver operating characteristic curves (1988), by mid-ranks as in Sun and Xu (2014).

    Args:
        positive: (P,), scores that ought to be high.
        negative: (N,), scores that ought to be low.
    """
    num_positive, num_negative = len(positive), len(negative)
    if not num_positive or not num_negative:
        return None
    ranks = rankdata(np.concatenate([positive, negative]))
    # For each score, the share of the other side that it is on the right side of.
    above = (ranks[:num_positive] - rankdata(positive)) / num_negative
    below = 1 - (ranks[num_positive:] - rankdata(negative)) / num_positive
    value = float(above.mean())
    return {"auroc": value, "auroc_interval_95": _interval(value, above, below)}


def _interval(value: float, above: Floats, below: Floats) -> list[float] | None:
    """None where the variance cannot be estimated: too few scores, or no overlap at all."""
    if min(len(above), len(below)) < 2 or not 0 < value < 1:
        return None
    variance = above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below)
    centre = math.log(value / (1 - value))
    half = float(norm.ppf(0.975)) * math.sqrt(variance) / (value * (1 - value))
    return [1 / (1 + math.exp(-bound)) for bound in (centre - half, centre + half)]


def risk_coverage(
    confidence: Floats,
    correct: "np.ndarray[Any, np.dtype[np.bool_]]",
    coverages: Sequence[float] = COVERAGES,
) -> list[dict[str, float]]:
    """Accuracy where only the most confident share is answered.

    Of images of equal confidence a part may be answered: the expected accuracy of a random part.

    Args:
        confidence: (N,).
        correct: (N,).
        coverages: shares that are answered; at least one image is.
    """
    _, group = np.unique(-confidence, return_inverse=True)
    counts = np.concatenate([[0], np.cumsum(np.bincount(group))])
    rights = np.concatenate([[0], np.cumsum(np.bincount(group, weights=correct))])
    points = []
    for coverage in coverages:
        answered = max(1, round(coverage * len(correct)))
        accuracy = float(np.interp(answered, counts, rights)) / answered
        points.append({"coverage": coverage, "images": answered, "accuracy": accuracy})
    return points
