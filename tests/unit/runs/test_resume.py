"""What of a run's folder is refused before the run is resumed."""

import os
from pathlib import Path

import pytest

from mnist_trainer.errors import CheckpointError
from mnist_trainer.runs import resume
from mnist_trainer.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path.resolve())
    folder.checkpoints.mkdir()
    (folder.checkpoints / "last.pt").write_bytes(b"")
    return folder


def test_a_temporary_file_that_is_gone_by_then_is_passed_over(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running process replaces its checkpoint while another looks at the folder."""
    temporary = folder.checkpoints / ".last.pt.abc.tmp"
    temporary.write_bytes(b"")
    resolve = os.path.realpath

    def resolved(path: Path) -> str:
        place = resolve(path)
        if path == temporary:
            temporary.unlink()
        return place

    monkeypatch.setattr(os.path, "realpath", resolved)
    resume._refuse_foreign_files(folder)
    assert not temporary.exists()


def test_a_link_that_leads_nowhere_is_refused(folder: RunFolder) -> None:
    (folder.checkpoints / "best.pt").symlink_to(folder.checkpoints / "gone.pt")
    with pytest.raises(CheckpointError, match=r"best\.pt: not a file"):
        resume._refuse_foreign_files(folder)
