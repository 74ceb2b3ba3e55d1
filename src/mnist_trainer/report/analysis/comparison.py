"""Two recipes beside each other: is one better, and how sure is that?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.groups import (
    differing_settings,
    distinct,
    group_runs,
    identity,
    test_accuracies,
    value_of,
)
from mnist_trainer.report.analysis.statistics import Difference, McNemar, mcnemar, welch
from mnist_trainer.report.read.discovery import merge
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.messages import counted

FORMULA = (
    "mean B - mean A ± t(0.975, df) · sqrt(s_A²/n_A + s_B²/n_B), df by Welch and Satterthwaite"
)


@dataclass(frozen=True)
class Side:
    """One of the two: completed runs of one recipe over seeds."""

    name: str
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> str:
        return ", ".join("?" if run.seed is None else str(run.seed) for run in self.runs)


@dataclass(frozen=True)
class Pair:
    """McNemar's test of two single runs."""

    a: RunRecord
    b: RunRecord
    test: McNemar


@dataclass(frozen=True)
class Comparison:
    """What can be said of two recipes."""

    a: Side
    b: Side
    difference: Difference | None
    """Of mean test accuracies, over seeds; None where a side has a single seed."""
    pairs: tuple[Pair, ...]
    """Runs of the two sides in the order of their seeds, the first with the first, image by image.
    """
    verdict: str
    """distinguishable, not distinguishable, or no verdict."""
    sentence: str
    notes: tuple[str, ...]


def compare(
    first: Sequence[RunRecord], second: Sequence[RunRecord], names: tuple[str, str]
) -> Comparison:
    """Compare the runs of two recipes on their test images.

    The verdict rests on the interval over seeds, and so is about the recipes. McNemar's test is
    about two single sets of weights: it does not know how another seed would have come out, and
    never decides.

    Args:
        names: what the user called the two.

    Raises:
        ConfigError: runs that cannot be compared: none completed, several recipes on one side,
            other test images, the same run on both sides.
        DataError: predictions that are damaged.
    """
    notes: list[str] = []
    runs_a, runs_b = (
        _usable(runs, name, notes) for runs, name in zip((first, second), names, strict=True)
    )
    _refuse_overlap(runs_a, runs_b)
    _refuse_other_images([*runs_a, *runs_b])
    a, b = _named(runs_a, runs_b)
    answers = {run.folder.path: run.predictions() for run in (*a.runs, *b.runs)}
    _refuse_other_labels([each for each in answers.values() if each is not None])
    pairs = []
    for run_a, run_b in zip(a.runs, b.runs, strict=False):
        of_a, of_b = answers[run_a.folder.path], answers[run_b.folder.path]
        if of_a is not None and of_b is not None:
            pairs.append(Pair(run_a, run_b, mcnemar(of_a.right, of_b.right)))
    without = [run.path for run in (*a.runs, *b.runs) if answers[run.folder.path] is None]
    if without:
        notes.append(
            f"No predictions.npz, so no test image by image: {', '.join(without)} (runs of an older"
            " version)"
        )
    difference = None
    if len(a.runs) >= 2 and len(b.runs) >= 2:
        images = [run.test.images for run in (*a.runs, *b.runs) if run.test]
        difference = welch(test_accuracies(a.runs), test_accuracies(b.runs), 1 / min(images))
    verdict, sentence = judge(a, b, difference, pairs)
    return Comparison(a, b, difference, tuple(pairs), verdict, sentence, tuple(notes))


def compare_named(names: Sequence[str], parts: Sequence[Sequence[RunRecord]]) -> Comparison:
    """The comparison of two folders, or of the two recipes that are in what was named.

    Raises:
        ConfigError: it is not clear which two recipes are meant.
    """
    if len(parts) == 2:
        return compare(parts[0], parts[1], (names[0], names[1]))
    groups = group_runs(merge(parts))
    if len(groups) == 2:
        # A word more or less than two is clear where the runs are of two recipes: the shell may
        # have expanded a pattern.
        first, second = sorted(groups, key=lambda group: group.runs[0].path)
        return compare(first.runs, second.runs, (first.label, second.label))
    lines = [f"{group.label}: {group.runs[0].path}" for group in groups[:5]]
    raise ConfigError(
        f"--compare takes two recipes; {'this is' if len(groups) == 1 else 'these are'} {len(groups)}:\n" + "\n".join(lines)
        + "\nName two, such as: mnist-report A B --compare; a pattern in quotes stands for the seeds of one."
    )  # fmt: skip


def judge(
    a: Side, b: Side, difference: Difference | None, pairs: Sequence[Pair]
) -> tuple[str, str]:
    """The verdict, and the plain sentence for it."""
    if difference is None:
        alone = [side.name for side in (a, b) if len(side.runs) == 1]
        who = f"{alone[0]} was" if len(alone) == 1 else "each was"
        return (
            "no verdict",
            (
                f"No verdict on {a.name} and {b.name}: {who} trained with one seed, and without a"
                f" second one no interval over seeds is possible. {_about_weights(a, b, pairs)}"
            ).strip(),
        )
    seeds = f"{len(a.runs)} and {len(b.runs)} seeds"
    bounds = sorted((100 * difference.low, 100 * difference.high))
    if not difference.distinguishable:
        return (
            "not distinguishable",
            (
                f"{a.name} and {b.name} are not distinguishable: the second came out"
                f" {abs(100 * difference.value):.2f} percentage points of test accuracy"
                f" {'lower' if difference.value < 0 else 'higher'}, 95 % interval {bounds[0]:+.2f}"
                f" to {bounds[1]:+.2f} ({seeds})."
            ),
        )
    better = b.name if difference.value > 0 else a.name
    bounds = sorted(map(abs, bounds))
    return (
        "distinguishable",
        (
            f"{a.name} and {b.name} are distinguishable: {better} is better by"
            f" {abs(100 * difference.value):.2f} percentage points of test accuracy, 95 % interval"
            f" {bounds[0]:.2f} to {bounds[1]:.2f} ({seeds})."
        ),
    )


def _about_weights(a: Side, b: Side, pairs: Sequence[Pair]) -> str:
    """What one pair of runs allows to say: of these two sets of weights, on these images."""
    if len(pairs) != 1 or len(a.runs) + len(b.runs) != 2:
        return ""
    test, images = pairs[0].test, pairs[0].a.test.images if pairs[0].a.test else 0
    tested = "this 1 image" if images == 1 else f"these {images:,} images"
    if test.p >= 0.05:
        return (
            f"These two sets of weights are not distinguishable on {tested} (McNemar, exact p ="
            f" {p_text(test.p)})."
        )
    better = b.name if test.only_b > test.only_a else a.name
    return (
        f"Of these two sets of weights, that of {better} is better on {tested} (McNemar, exact p ="
        f" {p_text(test.p)}); that is about these weights, not about the recipes."
    )


def p_text(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1g}"


def _usable(runs: Sequence[RunRecord], name: str, notes: list[str]) -> tuple[RunRecord, ...]:
    completed = [run for run in runs if run.completed]
    if not completed:
        states = ", ".join(sorted({run.status for run in runs}))
        raise ConfigError(
            f"{name}: no completed run to compare ({states}). Go on with it: mnist-train"
            f" resume={runs[0].path}"
        )
    left_out = [f"{run.path} ({run.status})" for run in runs if not run.completed]
    if left_out:
        notes.append(f"Left out, because not completed: {', '.join(left_out)}")
    if len({identity(run) for run in completed}) > 1:
        groups = group_runs(completed)
        lines = [f"{group.label}: {group.runs[0].path}" for group in groups[:4]]
        more = [f"and {len(groups) - 4} more"] if len(groups) > 4 else []
        raise ConfigError(
            f"{name}: holds runs of {len(groups)} recipes, where one recipe over seeds is needed:\n"
            + "\n".join([*lines, *more])
            + "\nName the runs of one of them, by a pattern in quotes such as"
            " 'outputs/multirun/NAME/*model=cnn*'."
        )
    once = distinct(completed)
    if len(once) < len(completed):
        repeats = len(completed) - len(once)
        who = (
            "1 run repeats the weights of another and is"
            if repeats == 1
            else f"{repeats} runs repeat weights of others and are"
        )
        notes.append(f"{name}: {who} counted once")
    return tuple(sorted(once, key=lambda run: (run.seed is None, run.seed or 0, run.path)))


def _refuse_overlap(runs_a: Sequence[RunRecord], runs_b: Sequence[RunRecord]) -> None:
    weights = {run.weights or run.path for run in runs_a}
    shared = [run.path for run in runs_b if (run.weights or run.path) in weights]
    if shared:
        raise ConfigError(
            f"{', '.join(shared[:3])}: on both sides of the comparison, as the same run or the same"
            " weights.\nTo see how far seeds alone take a recipe apart, compare it with itself"
            " under other seeds."
        )


def _refuse_other_images(runs: Sequence[RunRecord]) -> None:
    """Raises:
    ConfigError: the runs were not tested on the same images.
    """
    named: dict[tuple[str, ...], RunRecord] = {
        (value_of(run, "data.name"), counted(run.test.images, "test image")): run
        for run in runs
        if run.test
    }
    # What was not noted, as in runs of older versions, is not held against a run.
    hashed = {files: run for run in runs if (files := _test_files(run))}
    different = named if len(named) > 1 else hashed
    if len(different) > 1:
        lines = [f"{run.path}: {', '.join(images)}" for images, run in list(different.items())[:3]]
        raise ConfigError(
            "These runs were tested on different images, so their accuracies cannot be compared:\n"
            + "\n".join(lines)
        )


def _test_files(run: RunRecord) -> tuple[str, ...]:
    """The files of the test images, each with the beginning of its SHA-256."""
    hashes = run.environment.get("data_sha256")
    hashes = hashes if isinstance(hashes, dict) else {}
    return tuple(
        sorted(f"{name} {str(value)[:12]}" for name, value in hashes.items() if "train" not in name)
    )


def _refuse_other_labels(answers: Sequence[Predictions]) -> None:
    if any(not np.array_equal(answers[0].truth, each.truth) for each in answers[1:]):
        raise ConfigError(
            "The saved predictions are of test images with different labels, so these runs cannot"
            " be compared."
        )


def _named(runs_a: tuple[RunRecord, ...], runs_b: tuple[RunRecord, ...]) -> tuple[Side, Side]:
    """The sides under names that tell them apart: what differs, else the recipe and its seeds."""
    keys = differing_settings([*runs_a, *runs_b])
    if len(keys) == 1:
        labels = [value_of(runs[0], keys[0]) for runs in (runs_a, runs_b)]
        if "." in keys[0]:
            labels = [f"{keys[0]}={label}" for label in labels]
    elif "experiment" in keys:
        labels = [runs[0].recipe for runs in (runs_a, runs_b)]
    else:
        labels = [
            ", ".join(f"{key}={value_of(runs[0], key)}" for key in keys[:3]) or runs[0].recipe
            for runs in (runs_a, runs_b)
        ]
    if labels[0] == labels[1]:
        sides = [Side(label, runs) for label, runs in zip(labels, (runs_a, runs_b), strict=True)]
        word = ["seed" if len(side.runs) == 1 else "seeds" for side in sides]
        labels = [
            f"{side.name} ({kind} {side.seeds})" for side, kind in zip(sides, word, strict=True)
        ]
    return Side(labels[0], runs_a), Side(labels[1], runs_b)
