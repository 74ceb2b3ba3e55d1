"""The lock of a folder: one holder at a time, released by its end, however it ends."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.runs import lock
from mnist_trainer.runs.folder import LOCK_FILE
from mnist_trainer.runs.lock import folder_lock

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom mnist_trainer.runs import lock\n"
    "if len(sys.argv) > 2: lock.fcntl = None\n"
    "with lock.folder_lock(Path(sys.argv[1]), 'run'):\n"
    "    print('held', flush=True)\n    time.sleep(60)\n"
)


@contextmanager
def held_elsewhere(folder: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLD, str(folder), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["flock", "file"])
def words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """With locks on folders, and as where there are none."""
    if request.param == "file":
        monkeypatch.setattr(lock, "fcntl", None)
        return ("file",)
    return ()


def test_held_folder_is_refused_and_the_holder_named(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with held_elsewhere(tmp_path, *words) as process:
        who = f"process {process.pid} on {socket.gethostname()}"
        with pytest.raises(ConfigError, match=who), folder_lock(tmp_path, "run"):
            pass
        assert (tmp_path / LOCK_FILE).exists()


def test_a_killed_holder_releases_the_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    with held_elsewhere(tmp_path, *words) as process:
        process.kill()
        process.wait()
    assert (tmp_path / LOCK_FILE).exists()
    with folder_lock(tmp_path, "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_file_does_not_release_the_folder(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path):
        (tmp_path / LOCK_FILE).unlink()
        with pytest.raises(ConfigError, match="another mnist-train"), folder_lock(tmp_path, "run"):
            pass


def test_a_holder_on_another_machine_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "fcntl", None)
    note = {"host": "elsewhere", "pid": os.getpid(), "started": "2026-01-01T00:00:00+0000"}
    (tmp_path / LOCK_FILE).write_text(json.dumps(note))
    with pytest.raises(ConfigError, match="on elsewhere, since 2026"), folder_lock(tmp_path, "run"):
        pass


@pytest.mark.parametrize("text", ["", "[]", '{"host": 1, "pid": "x"}', "[" * 10_000])
def test_an_unreadable_note_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_FILE).write_text(text)
    assert lock.read_holder(tmp_path) is None
    with folder_lock(tmp_path, "run"):
        assert lock.read_holder(tmp_path) is not None
