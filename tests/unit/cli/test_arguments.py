"""Where commands are told to write."""

from pathlib import Path

import pytest

from mnist_trainer.cli import eval as scoring
from mnist_trainer.cli import export, predict
from mnist_trainer.cli.arguments import refuse_no_folder
from mnist_trainer.cli.export import output_path
from mnist_trainer.errors import ConfigError, MachineError


@pytest.mark.parametrize("parse", [export.parse, scoring.parse], ids=["mnist-export", "mnist-eval"])
def test_an_empty_path_is_refused(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(ConfigError, match="--output: '' is not a path"):
        parse(["run", "--output", "", *(["--format", "html"] if parse is export.parse else [])])
    with pytest.raises(ConfigError, match="--show-dir: '' is not a path"):
        predict.parse(["run", "a.png", "--show-dir", ""])


def test_a_slash_at_the_end_is_a_folder_that_may_be_to_be_made(tmp_path: Path) -> None:
    assert (
        output_path(f"{tmp_path}/new/deep/", tmp_path, ".onnx")
        == tmp_path / "new" / "deep" / "model.onnx"
    )
    assert (
        output_path(f"{tmp_path}/new/mine.onnx", tmp_path, ".onnx")
        == tmp_path / "new" / "mine.onnx"
    )
    assert output_path(str(tmp_path), tmp_path, ".onnx") == tmp_path / "model.onnx"
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        output_path(f"{tmp_path}/new/deep", tmp_path, ".onnx")


def test_a_place_that_takes_no_files_is_refused_before_the_work(tmp_path: Path) -> None:
    refuse_no_folder(tmp_path / "to" / "be" / "made", "--output DIR")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(
        MachineError, match=r"file is a file where a folder is needed.*--show-dir DIR\.$"
    ):
        refuse_no_folder(tmp_path / "file" / "below", "--show-dir DIR")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no folder that takes no files")
def test_a_folder_of_the_system_is_no_place_for_files() -> None:
    with pytest.raises(
        MachineError, match=r"^/proc: no file can be made in /proc: .*--output PATH\.$"
    ):
        refuse_no_folder(Path("/proc"), "--output PATH")
