"""Reading run folders: whole, torn, damaged, unfinished, and made to mislead."""

import json
import os
import time
from pathlib import Path

import pytest

from mnist_trainer.report.read.discovery import find_runs
from mnist_trainer.report.read.records import read_run
from tests.unit.report.conftest import MakeRun


def test_a_whole_run(make_run: MakeRun) -> None:
    run = read_run(make_run("0-model=cnn", seed=3, test=0.912, validation=0.9))
    assert (run.status, run.seed, run.recipe, run.completed) == ("completed", 3, "cnn-sgd", True)
    assert run.test is not None
    assert (run.test.accuracy, run.test.correct, run.test.images) == (0.912, 912, 1000)
    assert run.config["optimizer.lr"] == 0.1
    assert len(run.metrics) == 9
    assert run.seconds("total") == 6.0
    predictions = run.predictions()
    assert predictions is not None
    assert int(predictions.right.sum()) == 912
    assert not run.notes


def test_torn_last_line_is_ignored(make_run: MakeRun) -> None:
    folder = make_run("run")
    path = folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    run = read_run(folder)
    assert len(run.metrics) == 8
    assert not run.notes


def test_a_damaged_line_is_named_and_left_out(make_run: MakeRun) -> None:
    folder = make_run("run")
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    lines[2], lines[4] = '{"kind": "epo', "[1]"
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    run = read_run(folder)
    assert len(run.metrics) == 7
    assert len(run.notes) == 1
    assert "metrics.jsonl" in run.notes[0]
    assert "line 3, 5" in run.notes[0]


def test_recent_writes_mean_running(make_run: MakeRun) -> None:
    folder = make_run("run", test=None)
    (folder / "train.log").write_text("epoch 1\nstopped at step 12\n\n")
    assert read_run(folder).status == "running"
    long_ago = time.time() - 3600
    for name in ("metrics.jsonl", "train.log"):
        os.utime(folder / name, (long_ago, long_ago))
    run = read_run(folder)
    assert (run.status, run.message) == ("interrupted", "stopped at step 12")


def test_a_job_that_never_began(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- model=cnn\n- seed=1\n")
    run = read_run(tmp_path)
    assert (run.status, run.overrides["model"], run.completed) == ("not started", "cnn", False)


def test_a_job_that_failed_before_it_was_composed(tmp_path: Path) -> None:
    """What a sweep writes of it: its own note, and how it ended."""
    (tmp_path / "job.json").write_text(
        json.dumps({"number": 3, "settings": {"model": "cnn", "seed": 1}, "attempts": 1})
    )
    (tmp_path / "result.json").write_text(
        json.dumps({"status": "failed", "error": "DataError", "message": "no files"})
    )
    (run,) = find_runs(str(tmp_path))
    assert (run.status, run.message, run.overrides["model"], run.seed) == (
        "failed",
        "no files",
        "cnn",
        1,
    )


@pytest.mark.parametrize(
    "said",
    [
        {"message": "loss nan"},
        {"error": "loss nan"},
        {"error": {"type": "X", "message": "loss nan"}},
    ],
)
def test_a_failed_run_says_why(said: dict[str, object], make_run: MakeRun) -> None:
    run = read_run(make_run("run", test=None, result={"status": "diverged", **said}))
    assert (run.status, run.message, run.completed) == ("diverged", "loss nan", False)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"status": "completed"}',
        '{"status": "completed", "test": {"accuracy": "high", "correct": 1, "images": 1}}',
        '{"status": "completed", "test": {"accuracy": NaN, "correct": 1, "images": 1}}',
        '{"status": "completed", "test": {"accuracy": 0.5, "correct": 5, "images": 0}}',
    ],
)
def test_a_result_that_is_none(content: str, make_run: MakeRun) -> None:
    folder = make_run("run")
    (folder / "result.json").write_text(content)
    run = read_run(folder)
    assert run.status == "unreadable"
    assert "result.json" in run.message
    assert not run.completed


def test_a_config_builds_nothing(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("run")
    (folder / "config.yaml").write_text(
        f"seed: !!python/object/apply:os.mkdir ['{tmp_path / 'made'}']\n"
    )
    run = read_run(folder)
    assert not (tmp_path / "made").exists()
    assert run.config == {}
    assert "config.yaml" in run.notes[0]


def test_a_small_config_does_not_become_a_huge_one(make_run: MakeRun) -> None:
    folder = make_run("run")
    lines = ["a0: &a0 {x: 1, y: 2}"] + [
        f"a{k}: &a{k} {{x: *a{k - 1}, y: *a{k - 1}}}" for k in range(1, 40)
    ]
    (folder / "config.yaml").write_text("\n".join(lines))
    run = read_run(folder)
    assert run.config == {}
    assert "aliases" in run.notes[0]


def test_odd_values_break_nothing(make_run: MakeRun) -> None:
    folder = make_run("run")
    for name in ("environment.json", "result.json"):
        (folder / name).write_text(
            json.dumps({"status": ["x"], "seconds": 3, "test": [1], "data_sha256": "none"})
        )
    (folder / ".hydra" / "overrides.yaml").write_text("{a: b}")
    (folder / ".hydra" / "hydra.yaml").write_text("[1, 2]")
    run = read_run(folder)
    assert (run.overrides, run.choices, run.seconds("total"), run.completed) == (
        {},
        {},
        None,
        False,
    )
