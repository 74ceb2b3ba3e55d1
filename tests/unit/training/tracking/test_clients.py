"""MLflow and Weights & Biases: what was tracked is read back by their own code."""

import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import RefusedError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.optional_packages import is_installed
from mnist_trainer.training.run import train
from tests.conftest import Compose

WORDS = (
    "device=cpu",
    "model=linear",
    "data.train_limit=128",
    "data.validation_limit=50",
    "data.test_limit=50",
    "trainer.epochs=2",
    "trainer.log_every=1",
    "tracker.enabled=false",
)


def needs(package: str) -> pytest.MarkDecorator:
    missing = not is_installed(package) and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1"
    return pytest.mark.skipif(missing, reason=f"{package} is not installed")


@pytest.fixture
def configure(
    compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    # A test may use nothing of the person who runs it.
    for name in [name for name in os.environ if name.startswith(("WANDB_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    return lambda *words: compose(*WORDS, f"data.root={data_root}", *words)


def trained(config: RunConfig) -> RunFolder:
    folder = RunFolder(Path("run").resolve())
    train(config, folder, time.perf_counter())
    return folder


def expected(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """Steps and values by curve, as metrics.jsonl has them."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in map(json.loads, folder.metrics.read_text().splitlines()):
        kind, split, step = line.pop("kind"), line.pop("split"), line.pop("step")
        del line["epoch"]
        for name, value in line.items():
            tag = f"{name}/{split}{'_steps' if kind == 'interval' else ''}"
            if kind == "final":
                tag = f"result/{split}_{name}"
            curves.setdefault(tag, []).append((step + (kind == "final"), value))
    return curves


@needs("mlflow")
def test_mlflow_has_the_numbers_of_the_metrics_file_also_after_a_resume(configure: Any) -> None:
    trained(configure("tracker=mlflow"))
    longer = configure("tracker=mlflow", "trainer.epochs=3").resumed_from(Path("run").resolve())
    folder = trained(longer)
    from mlflow import MlflowClient

    client: Any = MlflowClient(f"sqlite:///{Path('outputs').resolve()}/mlflow.db")
    experiment = client.get_experiment_by_name("mnist-trainer")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["model._target_"] == "mnist_trainer.models.Linear"
    found = {
        tag: [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, tag)]
        for tag in run.data.metrics
        if not tag.startswith("result/")
    }
    curves = {tag: v for tag, v in expected(folder).items() if not tag.startswith("result/")}
    assert found == curves
    assert (
        run.data.metrics["result/test_accuracy"]
        == json.loads(folder.result.read_text())["test"]["accuracy"]
    )
    assert [each.path for each in client.list_artifacts(run.info.run_id, "test")]


@needs("wandb")
def test_wandb_has_the_numbers_of_the_metrics_file_also_after_a_resume(configure: Any) -> None:
    folder = trained(configure("tracker=wandb"))
    found = dict[str, list[tuple[int, float]]]()
    (path,) = folder.path.glob("wandb/offline-run-*/*.wandb")
    for record in wandb_records(path):
        values = {each.nested_key[0] or each.key: each.value_json for each in record.history.item}
        for tag, value in values.items():
            if "/" in tag and "confusion" not in tag:
                found.setdefault(tag, []).append((record.history.step.num, json.loads(value)))
    assert found == expected(folder)
    longer = configure("tracker=wandb", "trainer.epochs=3").resumed_from(Path("run").resolve())
    trained(longer)
    sessions = list(folder.path.glob("wandb/offline-run-*"))
    assert len({each.name.rpartition("-")[2] for each in sessions}) == 1, "one run"


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: a log in LevelDB's format of the client's own messages."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2

    content, place, parts = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # Too few bytes of a block for the head of another part.
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # A whole record, or the last part of one.
            yield messages.Record.FromString(parts)
            parts = b""


@pytest.mark.parametrize("choice", ["mlflow", "wandb"])
def test_only_the_command_line_names_a_server(
    choice: str, compose: Compose, tmp_path: Path
) -> None:
    (tmp_path / "tracker").mkdir()
    shipped = Path(__file__).parents[4] / "configs" / "tracker" / f"{choice}.yaml"
    text = shipped.read_text().replace("uri: null", "uri: http://127.0.0.1:9")
    (tmp_path / "tracker" / "mine.yaml").write_text(text)
    with pytest.raises(RefusedError, match=r"tracker\.extra\.uri"):
        compose("--config-dir", str(tmp_path), "tracker=mine")
    typed = compose("--config-dir", str(tmp_path), "tracker=mine", "tracker.extra.uri=null")
    assert (typed.tracker.extra or {})["uri"] is None
