"""What is written is read back: by TensorBoard's own reader, and as JSON lines."""

import contextlib
import json
import re
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    list_session_groups,
    plugin_data_pb2,
)

from mnist_trainer.errors import DivergedError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.hparams import (
    FINAL_METRICS,
    flat_hparams,
    keys_set,
    table_of,
)
from mnist_trainer.training.tracking.tensorboard import TensorBoard, image_grid
from tests.conftest import Compose

WORDS = (
    "device=cpu",
    "debug=limit",
    "data.train_limit=640",
    "trainer.epochs=2",
    "trainer.log_every=5",
    "transforms=augment",
)


@pytest.fixture
def folder(
    compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    train(
        compose(*WORDS, f"data.root={data_root}"), RunFolder(tmp_path / "run"), time.perf_counter()
    )
    return tmp_path / "run"


def test_tensorboard_sees_the_numbers_of_the_metrics_file(folder: Path) -> None:
    events = EventAccumulator(
        str(folder), {"tensors": 0, "histograms": 0, "images": 0, "scalars": 0}
    )
    events.Reload()
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    expected = {
        (
            f"{name}/{line['split']}{'_steps' if line['kind'] == 'interval' else ''}",
            line["step"],
        ): value
        for line in lines
        if line["kind"] != "final"
        for name, value in line.items()
        if name not in ("kind", "split", "epoch", "step")
    }
    seen = {
        (tag, event.step): event.value
        for tag in events.Tags()["scalars"]
        if not tag.startswith("result/")
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
    assert tags["images"] == [
        "training_images",
        *(
            f"{split}/{name}"
            for split in ("validation", "test")
            for name in ("confusion_matrix", "worst_mistakes")
        ),
    ]
    assert [event.step for event in events.Images("validation/confusion_matrix")] == [20]
    assert len(events.Histograms("gradients/features.0.weight")) == 1
    assert (
        events.Images("training_images")[0].width,
        events.Images("training_images")[0].height,
    ) == (8 * 28, 8 * 28)
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
    (final,) = events.Scalars("result/test_accuracy")
    assert final.value == pytest.approx(result["test"]["accuracy"])


def test_every_run_has_the_same_columns(compose: Compose) -> None:
    words = [
        [],
        ["model=fcn", "optimizer=adadelta"],
        ["model=linear", "loss.label_smoothing=0.1", "scheduler=onecycle"],
    ]
    columns = [flat_hparams(compose(*each)) for each in words]
    assert all(each.keys() == columns[0].keys() for each in columns)
    for name in columns[0]:
        kinds = {isinstance(each[name], str) for each in columns}
        assert len(kinds) == 1, name


def test_a_grid_keeps_every_image_in_its_place() -> None:
    images = torch.arange(16.0).reshape(16, 1, 1, 1).expand(16, 1, 2, 3)
    grid = image_grid(images, columns=4)
    assert grid.shape == (1, 8, 12)
    assert grid[0, ::2, ::3].flatten().tolist() == pytest.approx([k / 15 for k in range(16)])


def test_weights_beyond_all_bins_do_not_end_a_run(compose: Compose, tmp_path: Path) -> None:
    board = TensorBoard(RunFolder(tmp_path), compose(), None)
    model = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(model.weight, 3e30)
    board.epoch_ended(model, 1)
    board.close()
    events = EventAccumulator(str(tmp_path), {"histograms": 0})
    events.Reload()
    assert events.Histograms("weights/weight")[0].histogram_value.num == 4


@pytest.fixture
def two_models_and_a_failure(
    compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.chdir(tmp_path)
    runs = {
        "0-fcn": ["model=fcn"],
        "1-cnn": ["model=cnn"],
        "2-diverges": ["model=linear", "optimizer.lr=1e38"],
    }
    for name, words in runs.items():
        (tmp_path / "sweep" / name).mkdir(parents=True)
        config = compose(
            *WORDS, "data.test_limit=100", "trainer.epochs=1", f"data.root={data_root}", *words
        )
        with contextlib.suppress(DivergedError):
            train(config, RunFolder(tmp_path / "sweep" / name), time.perf_counter())
    return tmp_path / "sweep"


def test_tensorboards_own_table_shows_all_models_with_their_final_metrics(
    two_models_and_a_failure: Path,
) -> None:
    """Through the backend that the tab HParams asks."""
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(two_models_and_a_failure))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(two_models_and_a_failure))
    backend = backend_context.Context(
        TBContext(logdir=str(two_models_and_a_failure), data_provider=provider)
    )
    columns = [
        api_pb2.ColParams(hparam=name)
        for name in ("model", "hidden", "channels", "lr", "batch_size")
    ]
    columns += [
        api_pb2.ColParams(metric=api_pb2.MetricName(tag=f"result/{name}")) for name in FINAL_METRICS
    ]
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=[api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_RUNNING],
        col_params=columns,
        start_index=0,
        slice_size=100,
    )
    table = list_session_groups.Handler(RequestContext(), backend, "", request).run()
    rows = {group.hparams["model"].string_value: group for group in table.session_groups}
    assert rows.keys() == {"fcn", "cnn"}, "a run that diverged has no final metrics, and no row"
    assert rows["fcn"].hparams.keys() == rows["cnn"].hparams.keys()
    assert rows["fcn"].hparams["hidden"].string_value == "[512, 256, 128, 64]"
    assert rows["fcn"].hparams["channels"].string_value == "none"
    for model, folder in (("fcn", "0-fcn"), ("cnn", "1-cnn")):
        result = json.loads((two_models_and_a_failure / folder / "result.json").read_text())
        metrics = {value.name.tag: value.value for value in rows[model].metric_values}
        for split in ("validation", "test"):
            for name in ("accuracy", "loss"):
                assert metrics[f"result/{split}_{name}"] == pytest.approx(result[split][name])


def test_custom_scalars_show_train_and_validation_in_one_chart(folder: Path) -> None:
    events = EventAccumulator(str(folder), {"tensors": 0})
    events.Reload()
    (tensor,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor.tensor_proto.string_val[0])
    tags = events.Tags()["scalars"]
    drawn = {
        chart.title: {tag for each in chart.multiline.tag for tag in tags if re.match(each, tag)}
        for category in layout.category
        for chart in category.chart
    }
    assert drawn == {
        **{name: {f"{name}/train", f"{name}/validation"} for name in ("loss", "accuracy")},
        "learning rate": {"learning_rate/train_steps"},
        "gradient norm": {"gradient_norm/train_steps"},
    }


def test_what_a_sweep_varies_is_ticked_first_and_null_is_null(
    compose: Compose, tmp_path: Path
) -> None:
    folder = RunFolder(tmp_path)
    settings = {"model": "fcn", "trainer.clip_norm": "null", "trainer.patience": "3", "name": "a"}
    (tmp_path / "job.json").write_text(json.dumps({"settings": settings}))
    config = compose("model=fcn", "optimizer=adam", "trainer.patience=3")
    experiment, start, _ = (
        plugin_data_pb2.HParamsPluginData.FromString(part.value[0].metadata.plugin_data.content)
        for part in table_of(config, folder, [])
    )
    differing = [each.name for each in experiment.experiment.hparam_infos if each.differs]
    assert sorted(differing) == ["clip_norm", "model", "trainer.patience"]
    values = start.session_start_info.hparams
    assert values["clip_norm"].string_value == "null"
    assert values["trainer.patience"].string_value == "3"
    assert "label_smoothing" in values
    assert "momentum" not in values, "Adam has none: an empty cell, not 0"


def test_what_the_command_line_set_is_ticked(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    words = ["model=fcn", "+optimizer.lr=1", "hydra.run.dir=x"]
    (tmp_path / ".hydra" / "overrides.yaml").write_text(json.dumps(words))
    assert keys_set(RunFolder(tmp_path)) == ["model", "optimizer.lr"]


def test_the_final_results_are_a_table_of_text(folder: Path) -> None:
    events = EventAccumulator(str(folder), {"tensors": 0})
    events.Reload()
    (table,) = events.Tensors("result/text_summary")
    result = json.loads((folder / "result.json").read_text())
    text = table.tensor_proto.string_val[0].decode()
    assert f"| test | {100 * result['test']['accuracy']:.2f}% |" in text
    assert table.step == result["steps"] + 1, "a session that resumes writes it anew"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tracker.images_every=1"], {"validation": [10, 20], "test": [21]}),
        (["tracker.images_every=null"], {}),
        (["data.validation_size=0"], {"test": [21]}),
    ],
)
def test_test_images_are_shown_once_at_the_end(
    words: list[str],
    expected: dict[str, list[int]],
    compose: Compose,
    data_root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    config = compose(*WORDS, "model=linear", f"data.root={data_root}", *words)
    train(config, RunFolder(tmp_path / "run"), time.perf_counter())
    events = EventAccumulator(str(tmp_path / "run"), {"images": 0})
    events.Reload()
    seen = {
        tag.partition("/")[0]: [event.step for event in events.Images(tag)]
        for tag in events.Tags()["images"]
        if tag.endswith("confusion_matrix")
    }
    assert seen == expected
