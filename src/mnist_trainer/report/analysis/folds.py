"""Statistics of runs over folds, which share training images.

With k folds any two training sets have (k - 2)/(k - 1) of their images in common, so the
accuracies are correlated, and ``s^2/k`` understates the variance of their mean. Nadeau and Bengio
("Inference for the generalization error", Machine Learning 52, 2003) correct it to
``(1/k + n_test/n_train) s^2``, with ``k - 1`` degrees of freedom.

Seeds of one fold share all images. They are averaged first, so that k numbers enter the formula
however many seeds there are: more seeds remove their own noise, not that of the images.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from mnist_trainer.report.analysis.statistics import CONFIDENCE, Difference, spread
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.system.messages import counted

# What the folds are cut of, and what is trained and validated on: equal for folds of one kind.
PARTITION = (
    "data.name", "data.folds", "data.split_seed", "data.per_class", "data.train_limit",
    "data.validation_limit",
)  # fmt: skip
PAIRED_FORMULA = (
    "mean of B - A over folds ± t(0.975, k - 1) · s · sqrt(1/k + n_test/n_train), s the standard"
    " deviation of the differences by fold"
)


@dataclass(frozen=True)
class FoldEstimate:
    """Mean over folds, with its corrected 95 % interval."""

    mean: float
    sd: float
    """Sample standard deviation of the means of the folds."""
    folds: int
    """Folds with a result."""
    ratio: float
    """Validation images by training images of a fold, n_test/n_train."""
    low: float
    high: float

    @property
    def degrees(self) -> int:
        """Degrees of freedom."""
        return self.folds - 1


def fold_of(run: RunRecord) -> int | None:
    """The fold that a run held out; None where it was not trained on folds."""
    fold = run.config.get("data.fold")
    return fold if isinstance(fold, int) and run.config.get("data.folds") else None


def repetition(run: RunRecord) -> str:
    """Which of the runs of its recipe it is: ``seed 3``, ``fold 2, seed 3``."""
    fold = fold_of(run)
    return f"seed {run.seed}" if fold is None else f"fold {fold}, seed {run.seed}"


def num_folds(runs: Sequence[RunRecord]) -> int:
    """How many folds the runs cover; 0 without folds."""
    return len({fold for run in runs if (fold := fold_of(run)) is not None})


def are_folds(runs: Sequence[RunRecord]) -> bool:
    """Whether the runs differ in their folds, all of them."""
    return num_folds(runs) > 1 and all(fold_of(run) is not None for run in runs)


def describe_size(runs: Sequence[RunRecord]) -> str:
    """What the runs are repeated over: ``3 seeds``, ``5 folds``, ``5 folds x 3 seeds``."""
    if not are_folds(runs):
        return counted(len(runs), "seed")
    folds = counted(num_folds(runs), "fold")
    seeds = {run.seed for run in runs}
    if len(seeds) == 1:
        return folds
    whole = len(runs) == len(seeds) * num_folds(runs)
    return f"{folds} x {len(seeds)} seeds" if whole else f"{folds}, {len(runs)} runs"


def count_samples(runs: Sequence[RunRecord]) -> str:
    """The same for a column of a table, where a note says what it is: ``3``, ``5 x 3``."""
    return describe_size(runs).replace(" seeds", "").replace(" folds x", " x").replace(" seed", "")


def partition_of(runs: Sequence[RunRecord]) -> set[tuple[Any, ...]]:
    """The kinds of folds that the runs are of; comparable runs have one."""
    return {tuple(run.config.get(key) for key in PARTITION) for run in runs}


def fold_means(runs: Sequence[RunRecord], split: str) -> list[float]:
    """Mean accuracy over the seeds of each fold, in the order of the folds.

    Args:
        split: validation or test; runs without a score on it are left out.
    """
    by_fold: dict[int, list[float]] = defaultdict(list)
    for run in runs:
        fold, scored = fold_of(run), run.validation if split == "validation" else run.test
        if fold is not None and scored:
            by_fold[fold].append(scored.accuracy)
    return [fmean(by_fold[fold]) for fold in sorted(by_fold)]


def images_ratio(runs: Sequence[RunRecord]) -> float:
    """Validation images by training images, n_test/n_train, the mean of the runs."""
    ratios = []
    for run in runs:
        protocol = run.result.get("protocol")
        trained = protocol.get("trained_on") if isinstance(protocol, dict) else None
        if run.validation and isinstance(trained, int) and trained > 0:
            ratios.append(run.validation.images / trained)
        elif isinstance(folds := run.config.get("data.folds"), int) and folds > 1:
            ratios.append(1 / (folds - 1))
    return fmean(ratios)


def corrected_estimate(values: Sequence[float], ratio: float, resolution: float) -> FoldEstimate:
    """The mean over folds with its corrected 95 % interval (Nadeau and Bengio 2003).

    ``mean +- t(0.975, k - 1) * s * sqrt(1/k + n_test/n_train)``.

    Args:
        values: one number for each fold, at least 2.
        ratio: n_test/n_train.
        resolution: smallest step between two such numbers; a smaller ``s`` counts as one step.

    Raises:
        ValueError: there are fewer than two values.
    """
    from scipy.stats import t as student

    found = spread(values)
    if found is None or found.sd is None:
        raise ValueError("an interval over folds takes at least two folds")
    error = max(found.sd, resolution) * math.sqrt(1 / found.n + ratio)
    half = float(student.ppf((1 + CONFIDENCE) / 2, found.n - 1)) * error
    return FoldEstimate(found.mean, found.sd, found.n, ratio, found.mean - half, found.mean + half)


def fold_estimate(runs: Sequence[RunRecord]) -> FoldEstimate | None:
    """Validation accuracy over the folds of one recipe; None where the runs are no folds."""
    if not are_folds(runs) or len(partition_of(runs)) > 1:
        return None
    values, images = fold_means(runs, "validation"), _num_images(runs)
    if len(values) < 2 or not images:
        return None
    return corrected_estimate(values, images_ratio(runs), 1 / images)


def _num_images(runs: Sequence[RunRecord]) -> int:
    return min((run.validation.images for run in runs if run.validation), default=0)


def paired_by_fold(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> list[tuple[int, float]]:
    """Fold, and difference of the validation accuracies there, B minus A.

    Runs are paired by fold and seed where both sides have the seed; of a fold in which they share
    none, the means over seeds are compared.
    """
    sides = [_by_fold_and_seed(runs) for runs in (a, b)]
    differences = []
    for fold in sorted(sides[0].keys() & sides[1].keys()):
        of_a, of_b = (side[fold] for side in sides)
        seeds = of_a.keys() & of_b.keys()
        if seeds:
            value = fmean(of_b[seed] - of_a[seed] for seed in seeds)
        else:
            value = fmean(of_b.values()) - fmean(of_a.values())
        differences.append((fold, value))
    return differences


def _by_fold_and_seed(runs: Sequence[RunRecord]) -> dict[int, dict[int | None, float]]:
    found: dict[int, dict[int | None, float]] = defaultdict(dict)
    for run in runs:
        fold = fold_of(run)
        if fold is not None and run.validation:
            found[fold][run.seed] = run.validation.accuracy
    return found


def fold_difference(a: Sequence[RunRecord], b: Sequence[RunRecord]) -> Difference | None:
    """Difference of the validation accuracies of two recipes over the folds that both have, with
    the corrected interval and p-value; None where the folds are not the same, or fewer than two.
    """
    from scipy.stats import t as student

    runs = [*a, *b]
    if not (are_folds(a) and are_folds(b)) or len(partition_of(runs)) > 1:
        return None
    left, right = (spread(fold_means(side, "validation")) for side in (a, b))
    values, images = [value for _, value in paired_by_fold(a, b)], _num_images(runs)
    if left is None or right is None or len(values) < 2 or not images:
        return None
    found = corrected_estimate(values, images_ratio(runs), 1 / images)
    error = (found.high - found.mean) / float(student.ppf((1 + CONFIDENCE) / 2, found.degrees))
    p = 2 * float(student.sf(abs(found.mean) / error, found.degrees))
    return Difference(left, right, found.mean, found.low, found.high, p, found.degrees)


def explain_interval(found: FoldEstimate) -> str:
    """What the interval over folds is, for below a table."""
    return (
        "Folds share training images, so the 95 % interval is corrected (Nadeau and Bengio 2003):"
        f" variance (1/{found.folds} + {found.ratio:.3g}) s² in place of s²/{found.folds}, where"
        f" {found.ratio:.3g} is validation by training images; t with {found.degrees} degrees of"
        " freedom. ± is s, over folds; seeds of a fold are averaged first (n: folds x seeds)."
    )
