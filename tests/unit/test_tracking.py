"""What is written is read back: by TensorBoard's own reader, and as JSON lines."""

import json
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from mnist_trainer.run import train
from mnist_trainer.run_folder import RunFolder
from mnist_trainer.tracking import flat_hparams, image_grid
from tests.conftest import Compose

WORDS = ("device=cpu", "debug=limit", "data.train_limit=640", "trainer.epochs=2", "trainer.log_every=5", "transforms=augment")


@pytest.fixture
def folder(compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    train(compose(*WORDS, f"data.root={data_root}"), RunFolder(tmp_path / "run"), time.perf_counter())
    return tmp_path / "run"


def test_tensorboard_sees_the_numbers_of_the_metrics_file(folder: Path) -> None:
    events = EventAccumulator(str(folder), {"tensors": 0, "histograms": 0, "images": 0, "scalars": 0})
    events.Reload()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    expected = {
        (f"{name}/{line['split']}{'_steps' if line['kind'] == 'interval' else ''}", line["step"]): value
        for line in lines
        if line["kind"] != "final"
        for name, value in line.items()
        if name not in ("kind", "split", "epoch", "step")
    }
    seen = {
        (tag, event.step): event.value
        for tag in events.Tags()["scalars"]
        if not tag.startswith("final/")
        for event in events.Scalars(tag)
    }
    assert seen.keys() == expected.keys()
    assert seen == pytest.approx(expected, rel=1e-6)
    for name in ("loss", "accuracy", "learning_rate", "gradient_norm", "images_per_second"):
        assert f"{name}/train" in events.Tags()["scalars"]
        assert f"{name}/train_steps" in events.Tags()["scalars"]


def test_it_holds_images_histograms_graph_and_configuration(folder: Path) -> None:
    events = EventAccumulator(str(folder), {"tensors": 0, "histograms": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert tags["images"] == ["training_images"]
    assert (events.Images("training_images")[0].width, events.Images("training_images")[0].height) == (8 * 28, 8 * 28)
    assert "weights/features.0.weight" in tags["histograms"]
    assert len(events.Histograms("weights/features.0.weight")) == 2
    assert tags["graph"] is True
    (text,) = events.Tensors("config/text_summary")
    assert b"batch_size: 64" in text.tensor_proto.string_val[0]


def test_hyper_parameters_and_final_metric_are_in_the_runs_own_file(folder: Path) -> None:
    assert len(list(folder.rglob("events.out.tfevents.*"))) == 1
    events = EventAccumulator(str(folder), {"tensors": 0})
    events.Reload()
    metadata = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    session = plugin_data_pb2.HParamsPluginData.FromString(metadata).session_start_info
    assert session.hparams["model"].string_value == "cnn"
    assert session.hparams["lr"].number_value == pytest.approx(0.05)
    result = json.loads((folder / "result.json").read_text())
    (final,) = events.Scalars("final/test_accuracy")
    assert final.value == pytest.approx(result["test"]["accuracy"])


def test_every_run_has_the_same_columns(compose: Compose) -> None:
    words = [[], ["model=fcn", "optimizer=adadelta"], ["model=linear", "loss.label_smoothing=0.1", "scheduler=onecycle"]]
    columns = [flat_hparams(compose(*each)) for each in words]
    assert all(each.keys() == columns[0].keys() for each in columns)
    for name in columns[0]:
        assert len({type(each[name]) in (int, float) for each in columns}) == 1, name


def test_a_grid_keeps_every_image_in_its_place() -> None:
    images = torch.arange(16.0).reshape(16, 1, 1, 1).expand(16, 1, 2, 3)
    grid = image_grid(images, columns=4)
    assert grid.shape == (1, 8, 12)
    assert grid[0, ::2, ::3].flatten().tolist() == pytest.approx([k / 15 for k in range(16)])
