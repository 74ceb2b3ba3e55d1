"""What a run leaves behind however it ends."""

import json
import time
from pathlib import Path

import pytest

from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.errors import DivergedError, MachineError, UserError
from mnist_trainer.launch.single import record_of_divergence
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import write_json
from mnist_trainer.training.run import clear_failed_result

COMPLETED = {"status": "completed", "epochs": 2}


def fail(folder: RunFolder, error: UserError) -> None:
    with (
        pytest.raises(type(error)),
        record_of_divergence(folder, time.perf_counter() - 2, SINGLE_WORLD),
    ):
        raise error


def test_a_run_that_diverges_says_so(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    fail(folder, DivergedError("not finite at step 4"))
    result = json.loads(folder.result.read_text())
    assert (result["status"], result["message"], result["exit_code"]) == (
        "diverged",
        "not finite at step 4",
        5,
    )
    assert 2 <= result["seconds"]["total"] < 60


def test_what_an_earlier_session_came_to_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.result, COMPLETED)
    fail(folder, DivergedError("not finite at step 4"))
    assert json.loads(folder.result.read_text()) == COMPLETED
    clear_failed_result(folder)
    assert json.loads(folder.result.read_text()) == COMPLETED


def test_a_fault_of_the_machine_leaves_no_result(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    fail(folder, MachineError("the disk is full"))
    assert not folder.result.exists()


def test_a_failure_is_forgotten_once_another_session_goes_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    clear_failed_result(folder)
    fail(folder, DivergedError("not finite at step 4"))
    clear_failed_result(folder)
    assert not folder.result.exists()
