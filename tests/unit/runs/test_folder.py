"""Run folders: never shared, never outside."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.runs.folder import (
    NAME_LIMIT,
    RunFolder,
    claim_named_folder,
    claim_run_folder,
    claim_sweep_folder,
    discard_if_unused,
    run_label,
    safe_name,
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_folders_of_one_second_are_distinct() -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: claim_run_folder("cnn-sgd").path, range(64)))
    assert len(set(folders)) == 64
    assert all(folder.is_dir() for folder in folders)


def test_a_folder_with_a_run_in_it_is_refused(tmp_path: Path) -> None:
    claim_named_folder(tmp_path / "mine")
    (tmp_path / "mine" / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(ConfigError, match="already holds a run"):
        claim_named_folder(tmp_path / "mine")


def test_an_empty_folder_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert claim_named_folder(tmp_path / "mine").path == tmp_path / "mine"


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    with pytest.raises(MachineError, match=r"outputs.*hydra\.run\.dir"):
        claim_run_folder("x")


@pytest.mark.parametrize("name", ["..", ".", "", " ", "a\0b", "...", " x"])
def test_unusable_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        safe_name(name)


@pytest.mark.parametrize(
    ("name", "shown"), [(".", "sweep=.:"), (" ", "sweep=' ':"), ("a\0b", "sweep='a\\x00b':")]
)
def test_an_unusable_sweep_name_is_named_by_its_key(name: str, shown: str) -> None:
    with pytest.raises(ConfigError) as refused:
        claim_sweep_folder(name)
    assert str(refused.value).startswith(shown)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "x" * 300,
        "CON",
        "nul.txt",
        "späße-数字",
        "a:b",
        "~root",
        "..a",
    ],
)
def test_other_names_stay_inside_the_folder(name: str, tmp_path: Path) -> None:
    safe = safe_name(name)
    assert (tmp_path / safe).resolve().parent == tmp_path.resolve()
    assert 0 < len(safe) <= NAME_LIMIT
    (tmp_path / safe).mkdir()


def test_a_long_job_name_keeps_its_number() -> None:
    assert run_label(3, "model=fcn,seed=0") == "3-model=fcn,seed=0"
    assert run_label(12, "x" * 500).startswith("12-x")
    assert run_label(0, "") == "0"


def test_an_unnamed_sweep_gets_a_new_folder(tmp_path: Path) -> None:
    assert (
        claim_sweep_folder("lr_study")
        == claim_sweep_folder("lr_study")
        == tmp_path / "outputs" / "multirun" / "lr_study"
    )
    assert claim_sweep_folder(None) != claim_sweep_folder(None)


def test_a_run_without_a_step_leaves_nothing(tmp_path: Path) -> None:
    folder = claim_run_folder("x")
    (folder.path / ".hydra").mkdir()
    (folder.path / ".hydra" / "config.yaml").write_text("")
    folder.log.write_text("")
    discard_if_unused(folder)
    assert not folder.path.exists()


def test_started_runs_and_other_files_are_kept(tmp_path: Path) -> None:
    begun, shared = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    begun.path.mkdir()
    begun.metrics.write_text("{}")
    shared.path.mkdir()
    (shared.path / "notes.txt").write_text("mine")
    for folder in (begun, shared):
        discard_if_unused(folder)
    assert begun.metrics.exists()
    assert (shared.path / "notes.txt").read_text() == "mine"
