"""The Python blocks of the pages on using a network: each page runs as it is written."""

import importlib.util
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnist_trainer
from mnist_trainer.data.images import DataSet
from mnist_trainer.inference.export.onnx_file import write_onnx
from mnist_trainer.inference.interface.train import train
from mnist_trainer.inference.trained_run import TrainedRun
from mnist_trainer.launch.in_process import split_words
from tests.saved_runs import SMALL
from tests.unit.docs.test_foundations import runner

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [
    DOCS / f"{name}.md" for name in ("predict", "python", "evaluation", "export", "corruptions")
]


@pytest.fixture
def folder(
    data_root: Path, mnist: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Where a user stands: with a run, photographs and an exported network, all of them small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_root.parent))

    def small_train(overrides: str | Iterable[str] = (), *, verbose: bool = True) -> TrainedRun:
        words = [*split_words(overrides), *SMALL, f"data.root={data_root}"]
        return train(words, verbose=verbose)

    monkeypatch.setattr(mnist_trainer, "train", small_train, raising=False)
    small_train(["model=linear"])
    (tmp_path / "photos").mkdir()
    digits = np.concatenate(list(mnist.test.images[:4, 0].numpy()), axis=1)
    Image.fromarray(255 - np.pad(digits, 20)).resize((600, 270)).save(tmp_path / "note.jpg")
    for name, digit in (("seven", 0), ("four", 4)):
        picture = Image.fromarray(255 - mnist.test.images[digit, 0].numpy())
        picture.resize((280, 280)).save(tmp_path / "photos" / f"{name}.jpg")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks_run(page: Path, folder: Path) -> None:
    if page.stem == "export":
        if importlib.util.find_spec("onnxruntime") is None:
            pytest.skip("needs onnxruntime")
        write_onnx(mnist_trainer.load_run("latest", device="cpu"), folder / "model.onnx")
    assert any(block.language == "python" for block in runner.blocks(page))
    runner.run_chapter(page, folder, draw=False)
    shutil.rmtree(folder / "figures")
