"""What a lesson page carries."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mnist_trainer import load_run
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.export.lesson_data import (
    MOST_EXACT,
    array_part,
    layers_part,
    numbers_part,
    rounded,
)
from mnist_trainer.inference.export.lesson_page import LESSON, write_lesson
from mnist_trainer.inference.trained_model import TrainedModel
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run

ROOT = Path(__file__).parents[4]
LIMIT = 2_000_000
TEXTS = json.loads((LESSON / "texts.json").read_text(encoding="utf-8"))


def read(part: dict[str, Any]) -> NDArray[Any]:
    """What ``arrays.js`` makes of a part."""
    kind = np.dtype(part["type"])
    planes = np.frombuffer(zlib.decompress(base64.b64decode(part["data"])), np.uint8)
    ordered = np.ascontiguousarray(planes.reshape(kind.itemsize, -1).T)
    array: NDArray[Any] = ordered.reshape(-1).view(kind).reshape(part["shape"])
    return array


def make(compose: Compose, data_root: Path, folder: Path, *words: str) -> TrainedModel:
    saved = save_run(compose(*SMALL, f"data.root={data_root}", *words), folder / "run")
    return load_run(saved.path, device="cpu", translations=1, precision="fp32")


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_arrays_come_back(kind: type[np.generic]) -> None:
    array = np.random.default_rng(0).normal(0, 90, (3, 5)).astype(kind)
    np.testing.assert_array_equal(read(array_part(array)), array)


def test_rounding_is_half_a_step_and_spares_small_tensors() -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.normal(size=count).astype(np.float32) for count in (MOST_EXACT + 1, 7, 2000)]
    part = numbers_part(pieces, 16)
    whole, at = read(part), 0
    for piece, (count, step) in zip(pieces, part["steps"], strict=True):
        if step:
            kept = whole[at : at + count] * step
            assert np.abs(kept - piece).max() <= 0.51 * np.abs(piece).max() / 32767
        at += count
    np.testing.assert_array_equal(read(part["exact"]), pieces[1])


def test_a_page_is_below_its_limit(compose: Compose, data_root: Path, tmp_path: Path) -> None:
    trained = make(compose, data_root, tmp_path, "model=fcn")
    path = tmp_path / "lesson.html"
    exported = write_lesson(trained, path)
    assert path.stat().st_size < LIMIT
    assert any("16 bits" in value for _, value in exported.findings)
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|@import|url\(|\bstyle=", page)
    images = torch.randint(0, 256, (40, 28, 28), dtype=torch.uint8)
    before = trained.logits(images)
    trained.model.load_state_dict(rounded(trained, 16))
    assert float((trained.logits(images) - before).abs().max()) < 1e-3


def test_what_does_not_fit_is_refused(compose: Compose, data_root: Path, tmp_path: Path) -> None:
    trained = make(compose, data_root, tmp_path, "model=fcn", "model.hidden=[900]")
    with pytest.raises(ConfigError, match=r"715,510 parameters.*--format html"):
        write_lesson(trained, tmp_path / "lesson.html")
    assert not (tmp_path / "lesson.html").exists()


def test_layers_have_the_names_of_the_run(
    compose: Compose, data_root: Path, tmp_path: Path
) -> None:
    trained = make(compose, data_root, tmp_path, "model=convnet", "model.batch_norm=true")
    layers = layers_part(trained, 32)["layers"]
    named = [
        f"{layer['name']}.{kind}"
        for layer in layers
        for kind in ("weight", "bias")
        if kind in layer
    ]
    assert named == [name for name, _ in trained.model.named_parameters()]


def test_steps_of_the_guide_lead_somewhere() -> None:
    steps = TEXTS["guide"]["steps"]
    assert len(steps) == 6
    for step in steps:
        for wording in (step, {**step, **step.get("without_kernels", {})}):
            assert wording["view"] in TEXTS["views"]
            chapter = (ROOT / wording["chapter"]).read_text(encoding="utf-8")
            assert wording["chapter_title"] in chapter.splitlines()[0]
            assert {"question", "right", "wrong"} <= set(wording)
