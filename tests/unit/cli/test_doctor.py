"""The doctor: passes where a run works, and gives advice where it would not."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from mnist_trainer.cli import doctor
from mnist_trainer.errors import DataError


def test_working_machine_passes_all_checks(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "mnist_trainer.doctor"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for name in (
        "Python",
        "torch, torchvision",
        "threads",
        "one step on cpu",
        "output folder",
        "data cache",
        "embedded data",
    ):
        assert f"\n{name}" in f"\n{ended.stdout}"
    assert list(tmp_path.iterdir()) == []


def test_mismatched_versions_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "requires", lambda _: ["numpy", "torch==1.2.3"])
    assert (
        doctor.torch_and_torchvision().advice
        == f"torchvision {version('torchvision')} belongs to torch 1.2.3: pip install torch==1.2.3"
    )
    monkeypatch.setattr(
        doctor, "requires", lambda _: [f"torch=={version('torch').partition('+')[0]}"]
    )
    assert doctor.torch_and_torchvision().advice is None


def test_unwritable_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    finding = doctor.writable("output folder", tmp_path / "file", "hydra.run.dir=PATH")
    assert finding.advice is not None
    assert "hydra.run.dir=PATH" in finding.advice
    monkeypatch.setattr(doctor, "NEEDED_BYTES", 10**18)
    assert "make room" in (
        doctor.writable("data cache", tmp_path / "new", "data.root=PATH").advice or ""
    )


def test_failing_check_is_a_finding_and_sets_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def damaged() -> list[doctor.Finding]:
        raise DataError("train-images: not the official file. Reinstall the package")

    monkeypatch.setattr(doctor, "embedded_data", damaged)
    monkeypatch.setattr(doctor, "devices", list)
    monkeypatch.setattr("sys.argv", ["doctor"])
    with pytest.raises(SystemExit) as ended:
        doctor.main()
    assert ended.value.code == 6
    assert "Reinstall" in capsys.readouterr().out
