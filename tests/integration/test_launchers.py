"""Launchers and the Optuna sweeper: two jobs for real, in processes of their own."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command


def results(sweep: Path) -> dict[str, dict[str, object]]:
    """Name of a job's folder to its result."""
    return {
        path.parent.name: json.loads(path.read_text())
        for path in sorted(sweep.glob("*/result.json"))
    }


@pytest.mark.parametrize(
    "launcher", ["joblib", "submitit_local", pytest.param("ray", marks=pytest.mark.soak)]
)
def test_two_jobs_run_and_come_to_what_they_would_alone(
    launcher: str, mnist_train: Command, tmp_path: Path
) -> None:
    ended = mnist_train("-m", f"hydra/launcher={launcher}", "seed=0,1", "sweep=two", *QUICK)
    assert ended.code == 0, ended.err
    found = results(tmp_path / "outputs" / "multirun" / "two")
    assert list(found) == ["0-seed=0", "1-seed=1"]
    assert "Warning" not in ended.err
    assert [result["status"] for result in found.values()] == ["completed"] * 2
    assert found["0-seed=0"]["weights_sha256"] != found["1-seed=1"]["weights_sha256"]
    environment = json.loads(
        (tmp_path / "outputs/multirun/two/0-seed=0/environment.json").read_text()
    )
    assert environment["cpu"]["threads"] == 1
    if launcher == "joblib":
        alone = mnist_train("seed=1", "hydra.run.dir=alone", *QUICK)
        assert alone.code == 0, alone.err
        reference = json.loads((tmp_path / "alone" / "result.json").read_text())
        assert reference["weights_sha256"] == found["1-seed=1"]["weights_sha256"]


def test_optuna_maximises_survives_a_failure_and_goes_on(
    mnist_train: Command, tmp_path: Path
) -> None:
    """Three trials, of which one diverges; then one more in the same study."""
    words = (
        "-m",
        "hydra/sweeper=optuna",
        "sweep=search",
        "optimizer.lr=choice(0.01,1e20,0.1)",
        *QUICK,
    )
    ended = mnist_train(*words, "hydra.sweeper.n_trials=3")
    assert "Traceback" not in ended.err
    sweep = tmp_path / "outputs" / "multirun" / "search"
    found = results(sweep)
    accuracies = [
        result["validation"]["accuracy"]  # type: ignore[index]
        for result in found.values()
        if result["status"] == "completed"
    ]
    best = next(
        line
        for line in (sweep / "optimization_results.yaml").read_text().splitlines()
        if line.startswith("best_value")
    )
    assert float(best.partition(":")[2]) == pytest.approx(max(accuracies))

    def states() -> list[str]:
        return [
            state
            for (state,) in sqlite3.connect(sweep / "optuna.sqlite").execute(
                "SELECT state FROM trials ORDER BY number"
            )
        ]

    assert sorted(states()) == ["COMPLETE", "COMPLETE", "FAIL"]
    again = mnist_train(*words, "hydra.sweeper.n_trials=1")
    assert "Traceback" not in again.err
    assert len(states()) == 4
