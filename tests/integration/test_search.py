"""Searches with Optuna: trials pruned early, a killed search that goes on, and its table."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest

from mnist_trainer.launch.sweep.pruning import STUDY, WORDS, open_storage
from tests.integration.conftest import QUICK, Command
from tests.integration.test_launchers import results

SMALL = (
    "device=cpu",
    "data.validation_limit=500",
    "data.test_limit=200",
    "tracker=none",
    "optimizer.lr=tag(log,interval(1e-4,1))",
)
SEARCH = ("-m", "hydra/sweeper=optuna", "sweep=search", *SMALL)


def trials(sweep: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=STUDY, storage=open_storage(sweep)).trials


def table(printed: str) -> list[str]:
    """The status column of the lines of the table."""
    lines = printed.partition("\nrank ")[2].partition("\nBest first")[0].splitlines()[1:]
    return [line.split("  ")[-1].strip() for line in lines]


def kill_after(num_results: int, words: list[str], sweep: Path, cwd: Path) -> None:
    """Start a search, and kill it once so many of its jobs have ended and another has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_trainer", *words],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while len(results(sweep)) < num_results or not unfinished_with_checkpoint(sweep):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unfinished_with_checkpoint(sweep: Path) -> list[Path]:
    folders = {path.parent.parent for path in sweep.glob("*/checkpoints/last.pt")}
    return [folder for folder in folders if not (folder / "result.json").exists()]


def check_killed_search(
    mnist_train: Command, cwd: Path, data_root: Path, num_trials: int, words: tuple[str, ...]
) -> list[str]:
    """Kill a search and start it again; returns the statuses in its table."""
    sweep = cwd / "outputs" / "multirun" / "search"
    command = [*SEARCH, *words, f"hydra.sweeper.n_trials={num_trials}"]
    kill_after(2, [*command, f"data.root={data_root}"], sweep, cwd)
    before = results(sweep)
    cut_short = unfinished_with_checkpoint(sweep)

    ended = mnist_train(*command)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    found = results(sweep)
    assert len(found) == num_trials
    assert {name: found[name] for name in before} == before, "a finished trial was run again"
    for folder in cut_short:
        record = json.loads((folder / "job.json").read_text())
        assert (record["attempts"], record["from_checkpoint"]) == (2, True)
    statuses = table(ended.out)
    assert len(statuses) == num_trials
    check_study(sweep, found)

    again = mnist_train(*command)
    assert again.code == 0, again.err
    assert results(sweep) == found
    assert table(again.out) == statuses
    return statuses


def check_study(sweep: Path, found: dict[str, Any]) -> None:
    """Each trial of the study ended as its job did."""
    by_lr = {
        next(
            word for word in json.loads((sweep / name / "job.json").read_text())["settings"].items()
        )[1]: result
        for name, result in found.items()
    }
    assert len(trials(sweep)) == len(found)
    for trial in trials(sweep):
        result = by_lr[str(trial.params["optimizer.lr"])]
        assert f"optimizer.lr={trial.params['optimizer.lr']}" in trial.user_attrs[WORDS]
        if result["status"] == "pruned":
            assert trial.state is optuna.trial.TrialState.PRUNED
            assert trial.last_step == result["epochs"]
        else:
            assert trial.state is optuna.trial.TrialState.COMPLETE


def test_a_killed_search_goes_on_and_prunes(
    mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    words = ("data.train_limit=1000", "trainer.epochs=3", "hydra.sweeper.pruner.n_startup_trials=2")
    statuses = check_killed_search(mnist_train, tmp_path, data_root, 6, words)
    assert Counter(statuses)["done"] >= 2
    assert any(status.startswith("pruned after epoch") for status in statuses)
    assert statuses == sorted(statuses, key=lambda status: status != "done")

    sweep = tmp_path / "outputs" / "multirun" / "search"
    report = mnist_train(str(sweep), module="mnist_trainer.cli.report", on_data=False)
    assert report.code == 0, report.err
    assert "pruned" in report.out


@pytest.mark.soak
@pytest.mark.parametrize(
    "launcher", [(), ("hydra/launcher=joblib", "hydra.sweeper.n_jobs=2", "hydra.launcher.n_jobs=2")]
)
def test_a_killed_search_of_twelve_prunes_at_least_three(
    launcher: tuple[str, ...], mnist_train: Command, tmp_path: Path, data_root: Path
) -> None:
    words = ("data.train_limit=2000", "trainer.epochs=5", *launcher)
    statuses = check_killed_search(mnist_train, tmp_path, data_root, 12, words)
    assert sum(status.startswith("pruned after epoch") for status in statuses) >= 3


def test_pruned_trials_in_other_processes_are_told(mnist_train: Command, tmp_path: Path) -> None:
    ended = mnist_train(
        *SEARCH,
        "data.train_limit=640",
        "trainer.epochs=2",
        "hydra/launcher=joblib",
        "hydra.sweeper.n_jobs=2",
        "hydra.launcher.n_jobs=2",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.pruner._target_=optuna.pruners.ThresholdPruner",
        "~hydra.sweeper.pruner.n_startup_trials",
        "+hydra.sweeper.pruner.lower=0.3",
    )
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    sweep = tmp_path / "outputs" / "multirun" / "search"
    check_study(sweep, results(sweep))
    assert all(1 in trial.intermediate_values for trial in trials(sweep))
    assert any(trial.state is optuna.trial.TrialState.PRUNED for trial in trials(sweep))


def test_a_search_survives_a_failure_and_maximises(mnist_train: Command, tmp_path: Path) -> None:
    words = [word for word in SEARCH if not word.startswith("optimizer.lr=")]
    command = [*words, "optimizer.lr=choice(0.01,1e20,0.1)", "data.train_limit=640"]
    ended = mnist_train(*command, *QUICK[-2:], "hydra.sweeper.n_trials=6")
    assert ended.code == 1, ended.err
    sweep = tmp_path / "outputs" / "multirun" / "search"
    accuracies: list[float] = [
        result["validation"]["accuracy"]  # type: ignore[index]
        for result in results(sweep).values()
        if result["status"] == "completed"
    ]
    best = next(
        line
        for line in (sweep / "optimization_results.yaml").read_text().splitlines()
        if line.startswith("best_value")
    )
    assert float(best.partition(":")[2]) == pytest.approx(max(accuracies))
    states = Counter(trial.state.name for trial in trials(sweep))
    assert states["FAIL"] >= 1
    assert states["COMPLETE"] + states["FAIL"] == 6
