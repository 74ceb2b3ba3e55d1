"""Which runs a word names."""

from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.read.discovery import find_runs, merge
from tests.unit.report.conftest import MakeRun


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sweep(make_run: MakeRun, tmp_path: Path) -> Path:
    for number, model in ((10, "cnn"), (2, "fcn"), (0, "cnn")):
        make_run(f"outputs/multirun/s/{number}-model={model}")
    (tmp_path / "outputs" / "latest").symlink_to("multirun/s/2-model=fcn")
    return tmp_path / "outputs" / "multirun" / "s"


def names(asked: str) -> list[str]:
    return [run.folder.path.name for run in find_runs(asked)]


def test_a_run_a_sweep_a_pattern_a_file_latest(sweep: Path) -> None:
    every = ["0-model=cnn", "2-model=fcn", "10-model=cnn"]
    assert names("outputs/multirun/s") == every
    assert names("outputs") == every, "the link to the latest is not another run"
    assert (
        names(str(sweep / "2-model=fcn"))
        == names("outputs/latest")
        == names("latest")
        == ["2-model=fcn"]
    )
    assert (
        names("outputs/multirun/s/*cnn*")
        == names(f"{sweep}/*cnn")
        == ["0-model=cnn", "10-model=cnn"]
    )
    assert names("outputs/latest/result.json") == ["2-model=fcn"]


def test_a_run_that_is_named_twice_counts_once(sweep: Path) -> None:
    assert len(merge([find_runs("outputs"), find_runs("outputs/latest")])) == 3


def test_a_folder_with_signs_of_a_pattern_in_its_name(make_run: MakeRun) -> None:
    make_run("odd[1]/run")
    assert names("odd[1]") == ["run"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nowhere", "no such folder"),
        ("empty", "holds no run"),
        ("file.txt", "no run"),
        ("out*", "nothing matches"),
        ("", "folder"),
        ("a\0b", "folder"),
    ],
)
def test_what_is_no_run_is_named(asked: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").touch()
    with pytest.raises(ConfigError, match=said) as caught:
        find_runs(asked)
    assert "outputs/latest" in str(caught.value)
