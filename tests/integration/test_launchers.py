"""Launchers: jobs for real, in processes of their own."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command, Start, wait_for_step

LONG = (*(word for word in QUICK if "epochs" not in word), "trainer.epochs=100000")


def results(sweep: Path) -> dict[str, dict[str, object]]:
    """Name of a job's folder to its result."""
    return {
        path.parent.name: json.loads(path.read_text())
        for path in sorted(sweep.glob("*/result.json"))
    }


@pytest.mark.parametrize(
    "launcher",
    ["processes", "joblib", "submitit_local", pytest.param("ray", marks=pytest.mark.soak)],
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
    if launcher in ("processes", "joblib"):
        alone = mnist_train("seed=1", "hydra.run.dir=alone", *QUICK)
        assert alone.code == 0, alone.err
        reference = json.loads((tmp_path / "alone" / "result.json").read_text())
        assert reference["weights_sha256"] == found["1-seed=1"]["weights_sha256"]


linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")


@linux
def test_a_sweep_takes_processes_by_itself_where_there_are_cores(
    mnist_train: Command, tmp_path: Path
) -> None:
    words = ("seed=0,1,2", *QUICK)
    ended = mnist_train("-m", "sweep=auto", *words, OMP_NUM_THREADS="2")
    assert ended.code == 0, ended.err
    assert "2 jobs at a time, 1 thread each" in ended.out
    # The jobs of the table are those of one after the other, and so are their weights.
    one_by_one = mnist_train("-m", "sweep=basic", "hydra/launcher=basic", *words)
    assert "at a time" not in one_by_one.out
    found, expected = (results(tmp_path / "outputs" / "multirun" / n) for n in ("auto", "basic"))
    assert list(found) == list(expected) == ["0-seed=0", "1-seed=1", "2-seed=2"]
    for name, result in found.items():
        assert result["weights_sha256"] == expected[name]["weights_sha256"]
    environment = tmp_path / "outputs/multirun/auto/2-seed=2/environment.json"
    assert json.loads(environment.read_text())["cpu"]["threads"] == 1


@linux
def test_a_killed_process_is_the_failure_of_its_job_alone(start: Start, tmp_path: Path) -> None:
    words = ("-m", "hydra/launcher=processes", "hydra.launcher.n_jobs=2", "sweep=killed")
    process = start(*words, *LONG[:-1], "trainer.epochs=100000,1,2")
    sweep = tmp_path / "outputs" / "multirun" / "killed"
    job = sweep / "0-trainer.epochs=100000"
    wait_for_step(job, 1, process)
    os.kill(json.loads((job / "job.json").read_text())["pid"], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert "1 of 3 jobs did not finish" in err
    statuses = [result["status"] for result in results(sweep).values()]
    assert statuses == ["failed", "completed", "completed"]
    assert "Its process died" in str(results(sweep)[job.name]["message"])


@linux
def test_jobs_end_with_a_sweep_that_was_killed(start: Start, tmp_path: Path) -> None:
    words = ("-m", "hydra/launcher=processes", "hydra.launcher.n_jobs=2", "seed=0,1", "sweep=gone")
    process = start(*words, *LONG)
    jobs = [tmp_path / "outputs/multirun/gone" / name for name in ("0-seed=0", "1-seed=1")]
    for job in jobs:
        wait_for_step(job, 1, process)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while not all((job / "result.json").exists() for job in jobs):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for job in jobs:
        assert json.loads((job / "result.json").read_text())["status"] == "interrupted"
        assert (job / "checkpoints" / "last.pt").exists()


def test_processes_are_refused_what_they_cannot_do(mnist_train: Command, tmp_path: Path) -> None:
    words = ("-m", "hydra/launcher=processes", "seed=0,1", *QUICK)
    ended = mnist_train(*words, "hydra.launcher.n_jobs=0")
    assert ended.code == 2
    assert "hydra.launcher.n_jobs=0" in ended.err
    assert not list((tmp_path / "outputs").glob("multirun/*"))
