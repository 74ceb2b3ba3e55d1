"""Every model of the configurations, in every format: the same answers as before, and what it is
inside the file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors import safe_open

from mnist_trainer import load_run
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.errors import MachineError
from mnist_trainer.inference.export.formats import FORMATS
from mnist_trainer.inference.export.onnx_file import compare, convert, run
from mnist_trainer.inference.export.safetensors_file import check_bits
from mnist_trainer.inference.trained_model import TrainedModel
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run

Make = Any


@pytest.fixture
def make(compose: Compose, data_root: Path, tmp_path: Path) -> Make:
    def made(*words: str) -> TrainedModel:
        folder = save_run(compose(*SMALL, f"data.root={data_root}", *words), tmp_path / "run")
        return load_run(folder.path, device="cpu", translations=1, precision="fp32")

    return made


@pytest.mark.parametrize("model", group_choices("model"))
def test_onnx_answers_as_the_network(make: Make, tmp_path: Path, model: str) -> None:
    trained = make(
        f"model={model}", "transforms=normalize" if model == "lenet5" else "transforms=crop"
    )
    exported = FORMATS["onnx"].load()(trained, tmp_path / "model.onnx")
    images = np.random.default_rng(0).integers(0, 256, (11, 28, 28), dtype=np.uint8)
    content = (tmp_path / "model.onnx").read_bytes()
    expected = trained.logits(images).numpy()
    for portion in (1, 4, 11):
        assert np.abs(run(content, images, portion) - expected).max() < 1e-4
    facts = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert json.loads(facts["class_names"]) == list("0123456789")
    assert facts["weights_sha256"] == trained.checkpoint.sha256
    assert "uint8 (N, 28, 28)" in facts["input"]
    card = exported.files[1].read_text()
    assert trained.checkpoint.sha256 in card
    # Where the run lies on this machine is nobody's business elsewhere.
    assert str(tmp_path).encode() not in content
    assert str(tmp_path) not in card


def test_other_logits_are_refused(make: Make) -> None:
    trained = make("model=linear")
    content = convert(trained).SerializeToString()
    images = np.full((20, 28, 28), 9, dtype=np.uint8)
    expected = trained.logits(images).numpy()
    answers = run(content, images)
    assert compare(content, images, answers, expected) < 1e-4
    for wrong in (expected + 0.01, np.full_like(expected, np.nan)):
        with pytest.raises(MachineError, match="other logits"):
            compare(content, images, answers, wrong)


def test_safetensors_holds_the_weights_bit_for_bit(make: Make, tmp_path: Path) -> None:
    trained = make("model=convnet")
    FORMATS["safetensors"].load()(trained, tmp_path / "model.safetensors")
    weights = trained.model.state_dict()
    with safe_open(str(tmp_path / "model.safetensors"), framework="pt") as file:
        facts = file.metadata()
        assert set(file.keys()) == set(weights)
        assert all(torch.equal(file.get_tensor(name), weights[name]) for name in weights)
    assert facts["weights_sha256"] == trained.checkpoint.sha256
    assert json.loads(facts["model_settings"])["_target_"] == "mnist_trainer.models.ConvNet"
    with pytest.raises(MachineError, match="other weights"):
        check_bits(
            (tmp_path / "model.safetensors").read_bytes(), {**weights, "more": torch.zeros(1)}
        )
