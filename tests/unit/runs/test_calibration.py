"""calibration.json: kept with its weights, and never used where it is not what it claims."""

import json
from pathlib import Path

import pytest

from mnist_trainer.runs.calibration import (
    Calibration,
    read_calibration,
    uncalibrated,
    write_calibration,
)
from mnist_trainer.runs.checksums import changed_files, write_checksums
from mnist_trainer.runs.folder import RunFolder

KEPT = Calibration(0.4, 0.7, 1000, "abc")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_what_was_written_is_read_for_the_same_weights_only(folder: RunFolder) -> None:
    assert read_calibration(folder, "abc") == uncalibrated("abc")
    write_calibration(folder, KEPT)
    assert read_calibration(folder, "abc") == KEPT
    assert read_calibration(folder, "abd") == uncalibrated("abd")
    assert read_calibration(None, "abc") == uncalibrated("abc")


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"temperature": float("nan")},
        {"temperature": True},
        {"temperature": "1"},
        {"unsure_below": 1.5},
        {"pictures": 1.5},
        {"weights_sha256": None},
        {"more": 1},
    ],
    ids=str,
)
def test_another_document_is_not_used(change: dict[str, object], folder: RunFolder) -> None:
    write_calibration(folder, KEPT)
    content = json.loads(folder.calibration.read_text())
    folder.calibration.write_text(json.dumps({**content, **change}))
    assert read_calibration(folder, "abc") == uncalibrated("abc")


@pytest.mark.parametrize("content", ["", "[]", "{", "null", "\0"])
def test_a_damaged_file_is_not_used(content: str, folder: RunFolder) -> None:
    folder.calibration.write_text(content)
    assert read_calibration(folder, "abc") == uncalibrated("abc")


def test_a_calibration_of_a_finished_run_is_among_its_checksums(folder: RunFolder) -> None:
    folder.result.write_text("{}")
    write_checksums(folder)
    write_calibration(folder, KEPT)
    assert changed_files(folder) == []
    folder.calibration.write_text(folder.calibration.read_text().replace("0.4", "0.5"))
    assert len(changed_files(folder)) == 1
