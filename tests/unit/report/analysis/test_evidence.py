"""What runs and records say before more seeds are trained."""

import math
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer.report.analysis.evidence import (
    PlannedRecipe,
    evidence_of_records,
    evidence_of_runs,
)
from mnist_trainer.report.analysis.groups import Group, group_runs
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.read.spread import RecipeSpread, shipped_spread

MakeRun = Callable[..., Path]
ACCURACIES = {0.1: (0.80, 0.82, 0.81, 0.85), 0.2: (0.70, 0.75, 0.71, 0.77)}


def groups(make_run: MakeRun, seeds: dict[float, int]) -> list[Group]:
    runs = [
        make_run(f"{rate}-{k}", seed=first + k, validation=value, settings={"optimizer.lr": rate})
        for rate, first in seeds.items()
        for k, value in enumerate(ACCURACIES[rate])
    ]
    return group_runs([read_run(path) for path in runs])


def test_spread_is_of_the_pairs(make_run: MakeRun) -> None:
    known = evidence_of_runs(groups(make_run, {0.1: 0, 0.2: 0}))
    pairs = [b - a for a, b in zip(*ACCURACIES.values(), strict=True)]
    assert known is not None
    assert known.sd.value == pytest.approx(statistics.stdev(pairs))
    assert (known.sd.degrees, known.seconds_a_seed) == (3, 12.0)


def test_spread_without_pairs_is_that_of_the_groups(make_run: MakeRun) -> None:
    known = evidence_of_runs(groups(make_run, {0.1: 0, 0.2: 10}))
    variances = [statistics.variance(values) for values in ACCURACIES.values()]
    assert known is not None
    assert known.sd.value == pytest.approx(math.sqrt(2 * statistics.fmean(variances)))
    assert known.sd.degrees == 6


def test_single_runs_say_nothing(make_run: MakeRun) -> None:
    assert evidence_of_runs(group_runs([read_run(make_run("one"))])) is None


def test_records_are_scaled_by_work() -> None:
    record = RecipeSpread("net", 0.01, 5, 10.0, 100.0)
    known = evidence_of_records(
        [PlannedRecipe("a", 50, record), PlannedRecipe("b", 300, record)], ""
    )
    assert known is not None
    assert known.seconds_a_seed == pytest.approx(5 + 30)
    assert known.sd.value == pytest.approx(math.sqrt(2) * 0.01)
    assert known.sd.degrees == 4
    assert evidence_of_records([PlannedRecipe("c", 1, None)], "") is None


def test_shipped_records_are_by_experiment_then_model() -> None:
    fast = shipped_spread("fast99", "convnet")
    assert fast is not None
    assert fast.name == "fast99"
    assert shipped_spread("no_such_experiment", "cnn") is None
    assert shipped_spread(None, "cnn") is not None
