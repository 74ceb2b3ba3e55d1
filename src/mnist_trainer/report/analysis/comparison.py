"""Comparison of two recipes over seeds, and of single runs image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.comparable import (
    refuse_other_images,
    refuse_other_labels,
    refuse_overlap,
    usable,
)
from mnist_trainer.report.analysis.folds import (
    are_folds,
    describe_size,
    fold_difference,
    fold_of,
)
from mnist_trainer.report.analysis.groups import (
    accuracies,
    differing_settings,
    group_runs,
    value_of,
)
from mnist_trainer.report.analysis.statistics import Difference, McNemar, mcnemar, welch
from mnist_trainer.report.read.discovery import merge
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions

FORMULA = (
    "mean B - mean A ± t(0.975, df) · sqrt(s_A²/n_A + s_B²/n_B), df by Welch and Satterthwaite"
)


@dataclass(frozen=True)
class Side:
    """One side of the comparison: completed runs of one recipe over seeds."""

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> str:
        seeds = ["?" if run.seed is None else str(run.seed) for run in self.runs]
        return ", ".join(dict.fromkeys(seeds) if are_folds(self.runs) else seeds)

    @property
    def folds(self) -> str:
        """The folds, as a list; empty where the runs do not differ in them."""
        folds = sorted({str(fold_of(run)) for run in self.runs})
        return ", ".join(folds) if are_folds(self.runs) else ""


@dataclass(frozen=True)
class Pair:
    """McNemar's test of two single runs."""

    a: RunRecord
    b: RunRecord
    test: McNemar


@dataclass(frozen=True)
class Comparison:
    """Result of comparing two recipes."""

    a: Side
    b: Side
    difference: Difference | None
    """Of mean test accuracies over seeds, or of validation accuracies over the same folds; None
    where a side has a single seed."""
    pairs: tuple[Pair, ...]
    """McNemar's tests; the runs of the two sides are paired in the order of their seeds."""
    verdict: str
    """distinguishable, not distinguishable, or no verdict."""
    sentence: str
    """The verdict as a sentence."""
    notes: tuple[str, ...]
    split: str = "test"
    """The images that the difference is about: test, or over folds validation."""


def compare(
    first: Sequence[RunRecord], second: Sequence[RunRecord], names: tuple[str, str]
) -> Comparison:
    """Compare the runs of two recipes on their test images, or over folds on these.

    The verdict is about the recipes and rests on the interval over seeds. McNemar's test is about
    two single sets of weights, tells nothing of other seeds, and never decides.

    Args:
        names: what the user called the two.

    Raises:
        ConfigError: the runs cannot be compared: none completed, several recipes on one side,
            other test images, the same run on both sides, folds that are not the same.
        DataError: predictions that are damaged.
    """
    notes: list[str] = []
    runs_a, runs_b = (
        usable(runs, name, notes) for runs, name in zip((first, second), names, strict=True)
    )
    refuse_overlap(runs_a, runs_b)
    refuse_other_images([*runs_a, *runs_b])
    a, b = _sides(runs_a, runs_b)
    answers = {run.folder.path: run.predictions() for run in (*runs_a, *runs_b)}
    refuse_other_labels([each for each in answers.values() if each is not None])
    without = [run.path for run in (*runs_a, *runs_b) if answers[run.folder.path] is None]
    if without:
        notes.append(
            f"No predictions.npz, so no test image by image: {', '.join(without)} (runs of an older"
            " version)"
        )
    pairs, over_folds = _pairs(a, b, answers), are_folds(a.runs) or are_folds(b.runs)
    difference = _fold_difference(a, b) if over_folds else _difference(a, b)
    verdict, sentence = judge(a, b, difference, pairs)
    split = "validation" if over_folds else "test"
    return Comparison(a, b, difference, tuple(pairs), verdict, sentence, tuple(notes), split)


def _pairs(a: Side, b: Side, answers: Mapping[Path, Predictions | None]) -> list[Pair]:
    pairs = []
    for run_a, run_b in zip(a.runs, b.runs, strict=False):
        of_a, of_b = answers[run_a.folder.path], answers[run_b.folder.path]
        if of_a is not None and of_b is not None:
            pairs.append(Pair(run_a, run_b, mcnemar(of_a.right, of_b.right)))
    return pairs


def _difference(a: Side, b: Side) -> Difference | None:
    if min(len(a.runs), len(b.runs)) < 2:
        return None
    images = min(run.test.images for run in (*a.runs, *b.runs) if run.test)
    return welch(accuracies(a.runs, "test"), accuracies(b.runs, "test"), 1 / images)


def _fold_difference(a: Side, b: Side) -> Difference:
    found = fold_difference(a.runs, b.runs)
    if found is None:
        raise ConfigError(
            f"{a.name} has {describe_size(a.runs)} and {b.name} {describe_size(b.runs)}, not the"
            " same folds of the same images, so there are no pairs. Train both over the same ones:"
            " mnist-train -m data.folds=5 'data.fold=range(5)' ..."
        )
    return found


def compare_named(names: Sequence[str], parts: Sequence[Sequence[RunRecord]]) -> Comparison:
    """Compare two folders, or the two recipes that are in all folders together.

    Args:
        names: what the user called each part.
        parts: the runs of each name.

    Raises:
        ConfigError: it is not clear which two recipes are meant.
    """
    if len(parts) == 2:
        return compare(parts[0], parts[1], (names[0], names[1]))
    groups = group_runs(merge(parts))
    if len(groups) == 2:
        # Other than two names are clear for two recipes: the shell may have expanded a pattern.
        first, second = sorted(groups, key=lambda group: group.runs[0].path)
        return compare(first.runs, second.runs, (first.label, second.label))
    lines = [f"{group.label}: {group.runs[0].path}" for group in groups[:5]]
    this = "this is" if len(groups) == 1 else "these are"
    raise ConfigError(
        f"--compare takes two recipes; {this} {len(groups)}:\n"
        + "\n".join(lines)
        + "\nName two, such as: mnist-report A B --compare; a pattern in quotes stands for the"
        " seeds of one."
    )


def judge(
    a: Side, b: Side, difference: Difference | None, pairs: Sequence[Pair]
) -> tuple[str, str]:
    """The verdict, and a sentence for it."""
    if difference is None:
        alone = [side.name for side in (a, b) if len(side.runs) == 1]
        who = f"{alone[0]} was" if len(alone) == 1 else "each was"
        sentence = (
            f"No verdict on {a.name} and {b.name}: {who} trained with one seed, and without a"
            f" second one no interval over seeds is possible. {_about_weights(a, b, pairs)}"
        )
        return "no verdict", sentence.strip()
    seeds, split = f"{len(a.runs)} and {len(b.runs)} seeds", "test"
    if are_folds(a.runs):
        seeds, split = f"paired by fold, {_sizes(a, b)}", "validation"
    points = f"{abs(100 * difference.value):.2f} percentage points of {split} accuracy"
    bounds = (100 * difference.low, 100 * difference.high)
    if not difference.distinguishable:
        direction = "lower" if difference.value < 0 else "higher"
        return "not distinguishable", (
            f"{a.name} and {b.name} are not distinguishable: the second came out {points}"
            f" {direction}, 95 % interval {bounds[0]:+.2f} to {bounds[1]:+.2f} ({seeds})."
        )
    better = b.name if difference.value > 0 else a.name
    low, high = sorted(map(abs, bounds))
    return "distinguishable", (
        f"{a.name} and {b.name} are distinguishable: {better} is better by {points}, 95 % interval"
        f" {low:.2f} to {high:.2f} ({seeds})."
    )


def _sizes(a: Side, b: Side) -> str:
    """``5 folds``, or what each side has."""
    return " and ".join(dict.fromkeys(describe_size(side.runs) for side in (a, b)))


def _about_weights(a: Side, b: Side, pairs: Sequence[Pair]) -> str:
    """What a single pair of runs shows: of these two sets of weights, on these images."""
    if len(pairs) != 1 or len(a.runs) + len(b.runs) != 2:
        return ""
    test, images = pairs[0].test, pairs[0].a.test.images if pairs[0].a.test else 0
    tested = "this 1 image" if images == 1 else f"these {images:,} images"
    p = f"(McNemar, exact p = {p_text(test.p)})"
    if test.p >= 0.05:
        return f"These two sets of weights are not distinguishable on {tested} {p}."
    better = b.name if test.only_b > test.only_a else a.name
    return (
        f"Of these two sets of weights, that of {better} is better on {tested} {p}; that is about"
        " these weights, not about the recipes."
    )


def p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def _sides(runs_a: tuple[RunRecord, ...], runs_b: tuple[RunRecord, ...]) -> tuple[Side, Side]:
    """The two sides, named by the settings in which they differ, else by recipe and seeds."""
    keys = differing_settings([*runs_a, *runs_b])
    a, b = (Side(_name(runs[0], keys), runs) for runs in (runs_a, runs_b))
    return (a, b) if a.name != b.name else (_with_seeds(a), _with_seeds(b))


def _name(run: RunRecord, keys: Sequence[str]) -> str:
    if "experiment" in keys:
        return run.recipe
    if len(keys) == 1 and "." not in keys[0]:
        return value_of(run, keys[0])
    return ", ".join(f"{key}={value_of(run, key)}" for key in keys[:3]) or run.recipe


def _with_seeds(side: Side) -> Side:
    word = "seed" if len(side.runs) == 1 else "seeds"
    return Side(f"{side.name} ({word} {side.seeds})", side.runs)
