"""Launchers: two jobs for real, in processes of their own."""

import json
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
