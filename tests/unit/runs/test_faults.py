"""What a run that the machine, or a signal, ends says of how to go on."""

import errno
from pathlib import Path

import pytest

from mnist_trainer.errors import MachineError
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run that has saved."""
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "last.pt").touch()
    return RunFolder(tmp_path / "run")


def test_a_stop_is_told_in_lines_without_gaps(folder: RunFolder) -> None:
    with pytest.raises(KeyboardInterrupt) as stopped, faults_of_the_machine(folder):
        raise KeyboardInterrupt
    saved, how = "\n".join(stopped.value.__notes__).splitlines()
    assert saved == f"Saved so far: {folder.checkpoints / 'last.pt'}"
    assert how.startswith("Go on with: mnist-train resume=")
    (folder.checkpoints / "last.pt").unlink()
    with pytest.raises(KeyboardInterrupt) as stopped, faults_of_the_machine(folder):
        raise KeyboardInterrupt
    assert stopped.value.__notes__ == ["Nothing was saved."]


def test_a_full_disk_is_told_once_with_the_command_that_goes_on(folder: RunFolder) -> None:
    with (
        pytest.raises(MachineError) as failed,
        faults_of_the_machine(folder),
        faults_of_the_machine(folder),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", str(folder.metrics))
    assert str(failed.value).count("Go on with: mnist-train resume=") == 1
    assert str(folder.metrics) in str(failed.value)
