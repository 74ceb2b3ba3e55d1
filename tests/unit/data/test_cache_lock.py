"""Waiting for the data cache is told."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from mnist_trainer.data import cache_lock as module
from mnist_trainer.data.cache_lock import cache_lock, holder_of


def test_who_is_waited_for_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.05)
    path = tmp_path / ".lock"
    code = "import sys, filelock\nwith filelock.FileLock(sys.argv[1]):\n print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with caplog.at_level(logging.WARNING), pytest.raises(Timeout), cache_lock(path, 0.2):
            pass
        if sys.platform == "linux":
            assert f"process {other.pid}" in caplog.text
        assert str(path) in caplog.text
        assert "data.root=PATH" in caplog.text
        other.communicate(b"\n")


def test_a_free_lock_is_taken_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".lock"
    with cache_lock(path, 1.0):
        assert holder_of(path) in (f"process {os.getpid()}", None)
        with pytest.raises(Timeout):
            FileLock(path).acquire(timeout=0)
    with FileLock(path).acquire(timeout=0):
        assert caplog.text == ""
