"""Groups over seeds, what tells them apart, and their ranking."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_trainer.report.analysis.groups import (
    apart_from_best,
    count_states,
    differing_settings,
    distinct,
    group_runs,
    main_effects,
)
from mnist_trainer.report.analysis.statistics import holm, welch
from mnist_trainer.report.read.records import RunRecord, read_run
from tests.unit.report.conftest import MakeRun

RunsOf = Callable[..., list[RunRecord]]


@pytest.fixture
def grid(make_run: MakeRun) -> list[RunRecord]:
    """Two models, two rates, three seeds; validation from 0.80 to 0.911."""
    return [
        read_run(
            make_run(
                f"{model}-{lr}-{seed}",
                seed=seed,
                settings={"model": model, "optimizer.lr": lr},
                validation=0.8 + 0.1 * (model == "cnn") + 0.01 * (lr == 0.2) + 0.0005 * seed,
                test=0.99 - 0.1 * (model == "cnn"),
            )
        )
        for model in ("fcn", "cnn")
        for lr in (0.1, 0.2)
        for seed in (0, 1, 2)
    ]


def test_groups_are_ranked_by_validation(grid: list[RunRecord]) -> None:
    groups = group_runs(grid)
    assert [group.settings for group in groups] == [
        {"model": model, "optimizer.lr": lr}
        for model, lr in (("cnn", "0.2"), ("cnn", "0.1"), ("fcn", "0.2"), ("fcn", "0.1"))
    ]
    assert all(len(group.runs) == 3 for group in groups)
    assert groups[0].validation is not None
    assert groups[0].validation.mean == pytest.approx(0.9105)
    assert groups[0].validation.sd == pytest.approx(0.0005)
    assert groups[0].label == "cnn, lr=0.2"


def test_without_validation_nothing_is_ranked(runs_of: RunsOf) -> None:
    runs = [
        *runs_of("a", [0.9, 0.91], validation=None),
        *runs_of("b", [0.99, 0.98], validation=None, settings={"model": "fcn"}),
    ]
    groups = group_runs(runs)
    assert [group.validation for group in groups] == [None, None]
    assert [group.settings["model"] for group in groups] == [
        "cnn",
        "fcn",
    ], "in the order in which they came, not by test accuracy"


def test_paths_and_names_make_no_other_recipe(make_run: MakeRun) -> None:
    runs = [
        read_run(
            make_run(f"r{k}", seed=k, settings={"data.root": f"/d{k}", "trainer.log_every": k})
        )
        for k in range(2)
    ]
    assert differing_settings(runs) == []
    assert len(group_runs(runs)) == 1


def test_a_difference_that_nobody_typed_is_found(make_run: MakeRun) -> None:
    folders = [make_run(f"r{k}", seed=k) for k in range(2)]
    for folder in folders:
        (folder / ".hydra" / "overrides.yaml").write_text("[]")
    config = (folders[1] / "config.yaml").read_text()
    (folders[1] / "config.yaml").write_text(config.replace("lr: 0.1", "lr: 0.5"))
    runs = [read_run(folder) for folder in folders]
    assert differing_settings(runs) == ["optimizer.lr"]
    assert [group.settings for group in group_runs(runs)] == [
        {"optimizer.lr": "0.1"},
        {"optimizer.lr": "0.5"},
    ]


def test_a_default_that_was_typed_is_the_same_recipe(make_run: MakeRun) -> None:
    folders = [make_run(f"r{k}", seed=k) for k in range(2)]
    (folders[1] / ".hydra" / "overrides.yaml").write_text("[seed=1]")
    assert len(group_runs([read_run(folder) for folder in folders])) == 1


def test_a_repeated_run_is_no_second_sample(make_run: MakeRun) -> None:
    runs = [
        read_run(make_run(f"r{k}", seed=0, result={"weights_sha256": "same"})) for k in range(2)
    ]
    assert distinct(runs) == runs[:1]
    (group,) = group_runs(runs)
    assert group.validation is not None
    assert group.validation.n == 1
    assert len(group.runs) == 2


def test_unfinished_runs_are_counted_by_status(grid: list[RunRecord], make_run: MakeRun) -> None:
    failed = read_run(
        make_run(
            "f",
            seed=3,
            settings={"model": "cnn", "optimizer.lr": 0.2},
            test=None,
            result={"status": "diverged", "error": "x"},
        )
    )
    best = group_runs([*grid, failed])[0]
    assert count_states(best.runs) == "3 completed, 1 diverged"
    assert len(best.completed) == 3


def test_main_effects_by_hand(grid: list[RunRecord]) -> None:
    effects = {(e.setting, e.value): e for e in main_effects(group_runs(grid), "validation")}
    assert effects["model", "cnn"].spread.mean - effects[
        "model", "fcn"
    ].spread.mean == pytest.approx(0.1)
    assert effects["optimizer.lr", "0.2"].spread.mean - effects[
        "optimizer.lr", "0.1"
    ].spread.mean == pytest.approx(0.01)
    assert effects["model", "cnn"].spread.n == 6


def test_p_values_are_adjusted_for_all_pairs(runs_of: RunsOf, make_run: MakeRun) -> None:
    scores = {"a": [0.90, 0.91, 0.92], "b": [0.89, 0.91, 0.9], "c": [0.7, 0.71, 0.69]}
    runs = [
        read_run(make_run(f"{name}{seed}", seed=seed, settings={"model": name}, validation=value))
        for name, values in scores.items()
        for seed, value in enumerate(values)
    ]
    apart = apart_from_best(group_runs(runs))
    a, b, c = scores.values()
    expected = holm([welch(x, y, 0.001).p for x, y in ((a, b), (a, c), (b, c))])
    assert apart == pytest.approx({1: expected[0], 2: expected[1]})
    assert apart[1] > 0.05 > apart[2]


def test_a_folder_without_a_config_is_still_told_apart(make_run: MakeRun) -> None:
    folders = [
        make_run(f"r{k}", settings={"model": model}) for k, model in enumerate(("cnn", "fcn"))
    ]
    for folder in folders:
        (folder / "config.yaml").unlink()
        (folder / "result.json").write_text(json.dumps({"status": "failed", "message": "no"}))
    assert [
        group.settings["model"] for group in group_runs([read_run(folder) for folder in folders])
    ] == ["cnn", "fcn"]


def test_unknown_setting_does_not_differ(make_run: MakeRun, tmp_path: Path) -> None:
    """A job that was impossible has only what set it apart from its siblings; the others have all
    that was typed."""
    folders = [
        make_run(model, settings={"model": model, "trainer.batch_size": 64, "trainer.epochs": 1})
        for model in "ab"
    ]
    impossible = tmp_path / "impossible"
    impossible.mkdir()
    (impossible / "job.json").write_text(
        json.dumps({"settings": {"model": "a", "trainer.batch_size": "0"}})
    )
    (impossible / "result.json").write_text(json.dumps({"status": "failed", "message": "no"}))
    groups = group_runs([read_run(folder) for folder in (*folders, impossible)])
    assert [group.settings for group in groups] == [
        {"model": model, "trainer.batch_size": size}
        for model, size in (("a", "64"), ("b", "64"), ("a", "0"))
    ]
