"""Which runs can be compared with which; refusals say what differs."""

from collections.abc import Sequence

import numpy as np

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.folds import fold_of
from mnist_trainer.report.analysis.groups import distinct, group_runs, identity, value_of
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.messages import counted


def usable(runs: Sequence[RunRecord], name: str, notes: list[str]) -> tuple[RunRecord, ...]:
    """The completed runs of one side, equal weights once, sorted by fold and seed.

    Args:
        name: what the user called this side.
        notes: takes a note on each run that is left out.

    Raises:
        ConfigError: no run completed, or the runs are of several recipes.
    """
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
        raise _several_recipes(completed, name)
    once = distinct(completed)
    repeats = len(completed) - len(once)
    if repeats == 1:
        notes.append(f"{name}: 1 run repeats the weights of another and is counted once")
    elif repeats:
        notes.append(f"{name}: {repeats} runs repeat weights of others and are counted once")
    return tuple(sorted(once, key=_place))


def _place(run: RunRecord) -> tuple[int, bool, int, str]:
    """Sort key: by fold, then seed."""
    fold = fold_of(run)
    return -1 if fold is None else fold, run.seed is None, run.seed or 0, run.path


def _several_recipes(runs: Sequence[RunRecord], name: str) -> ConfigError:
    groups = group_runs(runs)
    lines = [f"{group.label}: {group.runs[0].path}" for group in groups[:4]]
    more = [f"and {len(groups) - 4} more"] if len(groups) > 4 else []
    return ConfigError(
        f"{name}: holds runs of {len(groups)} recipes, where one recipe over seeds is needed:\n"
        + "\n".join([*lines, *more])
        + "\nName the runs of one of them, by a pattern in quotes such as"
        " 'outputs/multirun/NAME/*model=cnn*'."
    )


def refuse_overlap(runs_a: Sequence[RunRecord], runs_b: Sequence[RunRecord]) -> None:
    """Refuse to compare weights with themselves.

    Raises:
        ConfigError: a run, or its weights, is on both sides.
    """
    weights = {run.weights or run.path for run in runs_a}
    shared = [run.path for run in runs_b if (run.weights or run.path) in weights]
    if shared:
        raise ConfigError(
            f"{', '.join(shared[:3])}: on both sides of the comparison, as the same run or the same"
            " weights.\nTo see how far seeds alone take a recipe apart, compare it with itself"
            " under other seeds."
        )


def refuse_other_images(runs: Sequence[RunRecord]) -> None:
    """Refuse to compare accuracies on different test images.

    Raises:
        ConfigError: data set, number or files of the test images differ between the runs.
    """
    named: dict[tuple[str, ...], RunRecord] = {
        (value_of(run, "data.name"), counted(run.test.images, "test image")): run
        for run in runs
        if run.test
    }
    # Runs of older versions have no hashes, which counts as no difference.
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
    pairs = hashes.items() if isinstance(hashes, dict) else ()
    return tuple(
        sorted(f"{name} {str(value)[:12]}" for name, value in pairs if "train" not in name)
    )


def refuse_other_labels(answers: Sequence[Predictions]) -> None:
    """Refuse to compare predictions for different true labels.

    Raises:
        ConfigError: the true labels differ.
    """
    if any(not np.array_equal(answers[0].truth, each.truth) for each in answers[1:]):
        raise ConfigError(
            "The saved predictions are of test images with different labels, so these runs cannot"
            " be compared."
        )
