"""R27: one process writes to a run folder at a time; another one is told who holds it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import Command

ENDLESS = (
    "device=cpu",
    "model=linear",
    "data.train_limit=256",
    "data.validation_limit=100",
    "data.test_limit=100",
    "tracker=none",
    "trainer.epochs=100000",
    "trainer.checkpoint_every=5",
)


@pytest.fixture
def training(data_root: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A run in the folder ``run`` that goes on until it is stopped."""
    command = [sys.executable, "-m", "mnist_trainer", *ENDLESS, "hydra.run.dir=run"]
    process = subprocess.Popen(
        [*command, f"data.root={data_root}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoints" / "last.pt").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("lock_file", ["kept", "deleted"])
def test_resume_of_a_running_run_names_its_process(
    lock_file: str, training: "subprocess.Popen[bytes]", tmp_path: Path, mnist_train: Command
) -> None:
    if lock_file == "deleted":
        (tmp_path / "run" / ".lock").unlink()
    ended = mnist_train("resume=run")
    assert ended.code == 2, ended.err
    assert "another mnist-train is at work on this run" in ended.err
    assert (f"process {training.pid} on" in ended.err) == (lock_file == "kept")
    assert training.poll() is None


def test_new_run_in_the_folder_of_a_running_run_is_refused(
    training: "subprocess.Popen[bytes]", tmp_path: Path, mnist_train: Command
) -> None:
    ended = mnist_train("model=linear", "debug=fast_dev_run", "hydra.run.dir=run")
    assert ended.code == 2, ended.err
    assert (tmp_path / "run" / "checkpoints" / "last.pt").exists()
    assert training.poll() is None


def test_a_killed_run_can_be_resumed_at_once(
    training: "subprocess.Popen[bytes]", tmp_path: Path, mnist_train: Command
) -> None:
    training.kill()
    training.wait()
    ended = mnist_train("resume=run", "trainer.epochs=1", "resume_allow_changes=true")
    assert ended.code == 0, ended.err
    assert not (tmp_path / "run" / ".lock").exists()


def test_a_removed_folder_is_noticed_at_the_next_save(data_root: Path, tmp_path: Path) -> None:
    """R34."""
    command = [sys.executable, "-m", "mnist_trainer", *ENDLESS, "hydra.run.dir=gone"]
    with subprocess.Popen(
        [*command, f"data.root={data_root}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "gone" / "checkpoints" / "last.pt").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (tmp_path / "gone").rename(tmp_path / "moved")
        try:
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
    assert process.returncode == 6, said
    # In the middle of a save it is the file that could not be written.
    assert "gone: the folder of this run was removed" in said or "gone/checkpoints" in said
    assert "Traceback" not in said


def test_of_two_new_runs_in_one_folder_one_is_refused(data_root: Path, tmp_path: Path) -> None:
    words = ["model=linear", "debug=fast_dev_run", "hydra.run.dir=both", f"data.root={data_root}"]
    command = [sys.executable, "-m", "mnist_trainer", *words]
    processes = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 2], errors
    assert (tmp_path / "both" / "result.json").exists()
