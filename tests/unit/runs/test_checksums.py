"""Damage to a file of a finished run is told."""

from pathlib import Path

import pytest

from mnist_trainer.runs.checksums import add_checksum, changed_files, write_checksums
from mnist_trainer.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path)
    made.config.write_text("seed: 0")
    made.result.write_text("{}")
    write_checksums(made)
    return made


def test_nothing_is_said_of_what_is_as_it_was(folder: RunFolder) -> None:
    assert changed_files(folder) == []
    folder.log.write_text("of no account")
    assert changed_files(folder) == []


def test_a_changed_or_missing_file_is_named(folder: RunFolder) -> None:
    folder.result.write_text("[]")
    folder.config.unlink()
    config, result = changed_files(folder)
    assert "config.yaml" in config
    assert "result.json" in result


def test_what_a_later_command_writes_is_added(folder: RunFolder) -> None:
    folder.evaluation.write_text("{}")
    add_checksum(folder, "evaluation.json")
    assert changed_files(folder) == []
    folder.evaluation.write_text("[]")
    (told,) = changed_files(folder)
    assert "evaluation.json" in told


def test_runs_of_older_versions_have_no_checksums(folder: RunFolder) -> None:
    folder.checksums.unlink()
    assert changed_files(folder) == []


@pytest.mark.parametrize("content", ["", "[]", '{"/etc/passwd": "x"}'])
def test_checksums_that_are_none_are_told(content: str, folder: RunFolder) -> None:
    folder.checksums.write_text(content)
    (told,) = changed_files(folder)
    assert "checksums.json" in told
