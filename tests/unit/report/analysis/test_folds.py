"""Statistics over folds, against examples worked out by hand."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.comparison import compare
from mnist_trainer.report.analysis.folds import (
    corrected_estimate,
    describe_size,
    fold_difference,
    fold_estimate,
    paired_by_fold,
)
from mnist_trainer.report.analysis.groups import apart_from_best, changed_together, group_runs
from mnist_trainer.report.analysis.statistics import mean_interval
from mnist_trainer.report.read.records import RunRecord, read_run
from mnist_trainer.report.render.comparison_document import comparison_document
from mnist_trainer.report.render.data import comparison_json, runs_csv, runs_json
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.sweep_document import sweep_document
from tests.unit.report.conftest import MakeRun

FoldRuns = Callable[..., list[RunRecord]]
THREE = [0.90, 0.92, 0.94]
T_2 = 4.302652729911275
"""t(0.975, 2), from a table."""


@pytest.fixture
def fold_runs(make_run: MakeRun) -> FoldRuns:
    """Runs over folds of 1,000 validation images by 2,000 training images.

    Args:
        by_fold: for each fold the validation accuracies of seeds 0, 1, ...
    """

    def made(
        model: str, by_fold: list[list[float]], folds: int = 3, first_seed: int = 0
    ) -> list[RunRecord]:
        return [
            read_run(
                make_run(
                    f"{model}-{fold}-{seed}",
                    seed=seed,
                    validation=accuracy,
                    settings={"model": model, "data.folds": folds, "data.fold": fold},
                    result={"protocol": {"trained_on": 2000, "held_out": 1000}},
                )
            )
            for fold, accuracies in enumerate(by_fold)
            for seed, accuracy in enumerate(accuracies, start=first_seed)
        ]

    return made


def test_interval_by_hand() -> None:
    """s = 0.02, so the standard error is 0.02 * sqrt(1/3 + 1/2) = 0.0182574."""
    found = corrected_estimate(THREE, 0.5, 0.001)
    half = T_2 * 0.02 * math.sqrt(5 / 6)
    assert [found.mean, found.sd] == pytest.approx([0.92, 0.02])
    assert [found.low, found.high] == pytest.approx([0.92 - half, 0.92 + half])
    assert half == pytest.approx(0.078555, abs=1e-6)


def test_five_folds_widen_the_interval_by_half() -> None:
    """sqrt(1/5 + 1/4) is 1.5 times sqrt(1/5)."""
    values = [0.981, 0.984, 0.979, 0.983, 0.982]
    corrected, plain = corrected_estimate(values, 1 / 4, 1e-4), mean_interval(values, 1e-4)
    assert corrected.high - corrected.low == pytest.approx(1.5 * (plain[1] - plain[0]))


def test_equal_folds_do_not_prove_that_there_is_no_spread() -> None:
    assert corrected_estimate([0.9, 0.9], 1.0, 0.01).high > 0.9


def test_seeds_of_a_fold_are_averaged_first(fold_runs: FoldRuns) -> None:
    once = fold_estimate(fold_runs("a", [[each] for each in THREE]))
    seeds = fold_runs("b", [[0.89, 0.91], [0.90, 0.94], [0.93, 0.95]])
    twice = fold_estimate(seeds)
    assert once is not None
    assert twice is not None
    assert twice.folds == 3
    assert [twice.low, twice.high] == pytest.approx([once.low, once.high])
    assert describe_size(seeds) == "3 folds x 2 seeds"
    (group,) = group_runs(seeds)
    assert group.validation is not None
    assert group.validation.sd == pytest.approx(0.02)


def test_difference_by_hand(fold_runs: FoldRuns) -> None:
    """Differences 0.01, 0.02, 0.03: t = 0.02 / (0.01 * sqrt(5/6)) = 2.19089 with 2 degrees of
    freedom, for which p = 1 - t / sqrt(2 + t^2)."""
    a = fold_runs("fcn", [[each] for each in THREE])
    b = fold_runs("cnn", [[0.91], [0.94], [0.97]])
    found, t = fold_difference(a, b), 0.02 / (0.01 * math.sqrt(5 / 6))
    assert found is not None
    assert found.value == pytest.approx(0.02)
    assert found.high - found.value == pytest.approx(T_2 * 0.01 * math.sqrt(5 / 6))
    assert found.degrees == 2
    assert found.p == pytest.approx(1 - t / math.sqrt(2 + t * t))


def test_runs_are_paired_by_fold_and_seed(fold_runs: FoldRuns) -> None:
    a = fold_runs("fcn", [[0.90, 0.80], [0.70, 0.60]], folds=2)
    b = fold_runs("cnn", [[0.92, 0.81, 0.10], [0.73, 0.61]], folds=2)
    by_seed = dict(paired_by_fold(a, b))
    assert by_seed == {0: pytest.approx(0.015), 1: pytest.approx(0.02)}
    # Without a seed in common, the means of the fold are compared.
    other = fold_runs("lenet", [[0.92, 0.82], [0.72, 0.62]], folds=2, first_seed=5)
    assert dict(paired_by_fold(a, other)) == {0: pytest.approx(0.02), 1: pytest.approx(0.02)}


def test_other_folds_are_no_pairs(fold_runs: FoldRuns) -> None:
    a, b = (fold_runs(m, [[each] for each in THREE], folds=n) for m, n in (("fcn", 3), ("cnn", 4)))
    assert fold_difference(a, b) is None
    assert fold_difference(a, a[:1]) is None
    with pytest.raises(ConfigError, match="not the same folds of the same images"):
        compare(a, b, ("A", "B"))


def test_one_fold_over_seeds_is_a_group_over_seeds(fold_runs: FoldRuns) -> None:
    (group,) = group_runs(fold_runs("a", [[0.90, 0.92]]))
    assert (group.folds, group.size) == (None, "2 seeds")
    assert group.validation is not None
    assert group.validation.n == 2


def test_groups_over_folds_are_told_apart_in_pairs(fold_runs: FoldRuns) -> None:
    """The folds differ far more than the recipes, which each fold orders alike."""
    a = fold_runs("fcn", [[0.80], [0.85], [0.90]])
    b = fold_runs("cnn", [[0.82], [0.871], [0.919]])
    best, other = group_runs([*a, *b])
    assert best.settings == {"model": "cnn"}
    paired = fold_difference(other.completed, best.completed)
    assert paired is not None
    assert apart_from_best([best, other]) == {1: pytest.approx(paired.p)}
    assert paired.p < 0.05
    # Against runs without folds nothing is tested: they were validated on other images.
    plain = replace(other, runs=tuple(replace(run, config={}) for run in a))
    assert apart_from_best([best, plain]) == {}


def test_reports_say_that_folds_share_images(fold_runs: FoldRuns) -> None:
    runs = [
        *fold_runs("fcn", [[0.80], [0.85], [0.90]]),
        *fold_runs("cnn", [[0.82], [0.87], [0.92]]),
    ]
    document = sweep_document(runs, "folds")
    for text in (markdown(document), page(document)):
        assert "Nadeau and Bengio 2003" in text
        assert "95 % interval" in text
        assert "paired by fold and seed" in text
        assert "3 folds" in text
    group = json.loads(runs_json(runs))["groups"][0]
    assert group["folds"]["folds"] == 3
    assert group["folds"]["ratio"] == 0.5
    assert "data.fold" in runs_csv(runs).splitlines()[0].split(",")
    missing = markdown(sweep_document(runs[:5], "folds"))
    assert "folds are missing, and folds differ in difficulty: cnn has 2 of 3" in missing


def test_a_comparison_over_folds_is_of_validation_images(fold_runs: FoldRuns) -> None:
    a = fold_runs("fcn", [[0.80], [0.85], [0.90]])
    b = fold_runs("cnn", [[0.82], [0.871], [0.919]])
    found = compare(a, b, ("A", "B"))
    assert found.difference == fold_difference(a, b)
    assert "cnn is better by 2.00 percentage points of validation accuracy" in found.sentence
    assert "paired by fold, 3 folds" in found.sentence
    text = markdown(comparison_document(found))
    assert "Validation accuracy, mean ± standard deviation over folds" in text
    assert "corrected by n\\_test/n\\_train (Nadeau and Bengio 2003)" in text
    assert json.loads(comparison_json(found))["split"] == "validation"


def test_settings_that_change_together_are_named(make_run: MakeRun) -> None:
    runs = [
        read_run(
            make_run(f"{model}-{seed}", seed=seed, settings={"model": model, "optimizer.lr": lr})
        )
        for model, lr in (("fcn", 0.1), ("cnn", 0.2))
        for seed in (0, 1)
    ]
    assert set(changed_together(group_runs(runs))) == {"model", "optimizer.lr"}
    assert "took their values together" in markdown(sweep_document(runs, "x"))
    more = read_run(make_run("more", settings={"model": "cnn", "optimizer.lr": 0.1}))
    assert changed_together(group_runs([*runs, more])) == []


def test_the_question_heads_the_report(make_run: MakeRun) -> None:
    runs = [read_run(make_run(f"sweep/{k}", seed=k)) for k in range(2)]
    path = runs[0].folder.path.parent / "sweep.json"
    path.write_text(json.dumps({"question": "Is <b> wide?"}))
    document = sweep_document(runs, "x")
    assert document.sections[0].title == "Question"
    assert "Is &lt;b&gt; wide?" in page(document)
    assert json.loads(runs_json(runs))["questions"] == ["Is <b> wide?"]
    path.write_text("[")
    assert sweep_document(runs, "x").sections[0].title == "Ranking"
