"""R31: SIGTERM, SIGHUP and Ctrl+C at any moment, in one run and in the jobs of a sweep."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.conftest import QUICK, Command, Start, wait_for_step
from tests.integration.test_resume import differences, last

WORDS = (*QUICK[:-1], "model=fcn", "trainer.log_every=1", "tracker.graph=false")


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run has made a file."""
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_in_set_up_nothing_is_left(number: int, code: int, start: Start, tmp_path: Path) -> None:
    process = start(*WORDS, "hydra.run.dir=early")
    wait_for(tmp_path / "early" / ".hydra", process)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == code
    if (tmp_path / "early").exists():  # A library swallowed it: the first step is the last.
        assert "stopped at step 1, in epoch 1" in said
    else:
        name = signal.Signals(number).name
        assert said == f"mnist-train: stopped by {name}.\n  Nothing was saved.\n"


def test_in_the_final_test_the_run_can_be_resumed(
    start: Start, mnist_train: Command, tmp_path: Path
) -> None:
    words = (*WORDS, "model=cnn", "trainer.translations=9", "data.test_limit=4000")
    process = start(*words, "hydra.run.dir=late")
    wait_for_step(tmp_path / "late", 7, process)
    wait_for(tmp_path / "late" / "checkpoints" / "last.pt", process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert "in the final test" in said
    assert "Go on with: mnist-train resume=late" in said
    assert not (tmp_path / "late" / "result.json").exists()
    assert mnist_train("resume=late").code == 0
    assert mnist_train(*words, "hydra.run.dir=whole").code == 0
    resumed, whole = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("late", "whole")
    )
    assert resumed["test"] == whole["test"]
    assert differences(last(tmp_path / "late"), last(tmp_path / "whole")) == []


def stop_at_random(start: Start, folder: Path, seed: int) -> None:
    """Stop a run at a random moment; whatever it was doing, it ends well."""
    rng = random.Random(seed)  # noqa: S311
    number = rng.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    process = start(*WORDS, f"hydra.run.dir={folder}")
    time.sleep(rng.uniform(0.3, 5))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    is_finished = (folder / "result.json").exists()
    # Once all is done Python may have put its own handlers back.
    assert process.returncode in (128 + number, *((0, -number) if is_finished else ())), said
    assert "Traceback" not in said
    assert len(said.splitlines()) <= 3
    assert folder.exists() == ((folder / "checkpoints" / "last.pt").exists() or is_finished)


@pytest.mark.parametrize("seed", range(3))
def test_at_a_random_moment(seed: int, start: Start, tmp_path: Path) -> None:
    stop_at_random(start, tmp_path / "run", seed)


@pytest.mark.soak
def test_at_a_hundred_random_moments(start: Start, tmp_path: Path) -> None:
    for seed in range(100, 200):
        stop_at_random(start, tmp_path / str(seed), seed)


@pytest.mark.parametrize(
    "launcher",
    [
        "processes",
        "joblib",
        pytest.param("submitit_local", marks=pytest.mark.soak),
        pytest.param("ray", marks=pytest.mark.soak),
    ],
)
def test_ctrl_c_lets_the_jobs_of_a_launcher_save(
    launcher: str, data_root: Path, tmp_path: Path
) -> None:
    """A terminal sends it to all processes: here to the process group of the sweep."""
    words = ["-m", f"hydra/launcher={launcher}", "seed=0,1,2", "sweep=asked"]
    if launcher in ("processes", "joblib"):
        words.append("hydra.launcher.n_jobs=2")
    long = [*words, *(w for w in QUICK if "epochs" not in w), "trainer.epochs=100000"]
    sweep = tmp_path / "outputs" / "multirun" / "asked"
    process = subprocess.Popen(
        [sys.executable, "-m", "mnist_trainer", *long, f"data.root={data_root}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for job in ("0-seed=0", "1-seed=1"):
        wait_for(sweep / job / "checkpoints" / "last.pt", process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Stopping: jobs that run save and end." in out
    assert "Go on with: mnist-train -m" in err
    assert "Traceback" not in out + err
    for job in ("0-seed=0", "1-seed=1"):
        result = json.loads((sweep / job / "result.json").read_text())
        assert result["status"] == "interrupted"
        saved = last(sweep / job)["progress"]
        assert f"stopped at step {saved['step']}," in result["message"]
    if launcher in ("processes", "joblib"):  # The others start all jobs at once.
        assert not (sweep / "2-seed=2" / "result.json").exists()
        assert not (sweep / "2-seed=2" / "checkpoints").exists()
