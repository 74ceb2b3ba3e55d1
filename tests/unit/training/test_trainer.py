"""Whole runs on few images, in this process: against a loop written the plain way, and against
themselves."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mnist_trainer.data.batches import sample_epoch
from mnist_trainer.data.images import DataSet
from mnist_trainer.data.split import split
from mnist_trainer.errors import DivergedError
from mnist_trainer.models.convolutional import CNN
from mnist_trainer.runs.checkpoint import load_checkpoint
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.predictions import read_predictions
from mnist_trainer.runs.result import Result
from mnist_trainer.training.run import train
from tests.conftest import Compose

SMALL = (
    "data.train_limit=1000",
    "data.validation_limit=500",
    "data.test_limit=500",
    "trainer.epochs=2",
    "tracker=none",
)
Run = Callable[..., Result]


@pytest.fixture
def run(compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train as a command line says, into ``tmp_path/<folder>``."""
    monkeypatch.chdir(tmp_path)

    def trained(*words: str, folder: str = "run") -> Result:
        (tmp_path / folder).mkdir()
        config = compose("device=cpu", f"data.root={data_root}", *SMALL, *words)
        return train(config, RunFolder(tmp_path / folder), time.perf_counter())

    return trained


def points(folder: Path, **wanted: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if all(line[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
def test_training_equals_the_tutorials_loop_over_a_plain_dataloader(
    loader: str, run: Run, mnist: DataSet, compose: Compose, tmp_path: Path
) -> None:
    """The classic loop, written out, given the same order of images: the same weights."""
    run(
        "model=cnn",
        f"data.loader={loader}",
        "trainer.batch_size=64",
        "optimizer.lr=0.01",
        "optimizer.momentum=0.5",
        "seed=4",
    )
    parts = split(mnist, compose(*SMALL).data)
    images = (parts.train.images.float() / 255 - 0.1307) / 0.3081
    torch.manual_seed(4)
    model = CNN([10, 20], 5, 0, 2, [], "relu", 0.0, 10)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    for epoch in range(2):
        indices = sample_epoch(1000, 0, seed=4, epoch=epoch).indices
        for batch, labels in DataLoader(
            TensorDataset(images, parts.train.labels), 64, sampler=indices.tolist()
        ):
            optimizer.zero_grad()
            loss = criterion(model(batch), labels)
            loss.backward()
            optimizer.step()
    trained = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["weights"]
    for name, expected in model.state_dict().items():
        assert torch.allclose(trained[name], expected, atol=1e-5), name


@pytest.mark.parametrize("model", ["cnn", "fcn"])
def test_same_seed_same_weights_and_another_seed_others(model: str, run: Run) -> None:
    words = (f"model={model}", "model.dropout=0.3", "transforms=augment")
    first, again, other = (
        run(*words, f"seed={seed}", folder=str(k)) for k, seed in enumerate((0, 0, 1))
    )
    assert first.weights_sha256 == again.weights_sha256
    assert first.test == again.test
    assert first.weights_sha256 != other.weights_sha256


@pytest.mark.parametrize("words", [("device.threads=1",), ("trainer.engine=numpy",)], ids=" ".join)
def test_a_run_leaves_the_next_one_its_threads(words: tuple[str, ...], run: Run) -> None:
    """In a sweep many runs share a process."""
    torch.set_num_threads(2)
    run("model=linear", "data.train_limit=64", "trainer.epochs=1", *words)
    assert torch.get_num_threads() == 2


def test_watching_does_not_change_what_is_watched(run: Run) -> None:
    words = ("model.dropout=0.3", "transforms=augment")
    silent = run(*words, folder="silent")
    watched = run(
        *words,
        "tracker=tensorboard",
        "trainer.log_every=1",
        "trainer.checkpoint_every=3",
        folder="watched",
    )
    assert silent.weights_sha256 == watched.weights_sha256


def test_accumulation_equals_a_larger_batch(run: Run, tmp_path: Path) -> None:
    gentle = ("optimizer.lr=0.01", "optimizer.momentum=0.5")
    large = run(*gentle, "trainer.batch_size=96", folder="large")
    small = run(*gentle, "trainer.batch_size=32", "trainer.accumulation=3", folder="small")
    assert large.steps == small.steps == 22
    weights = [
        load_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["weights"]
        for name in ("large", "small")
    ]
    for name in weights[0]:
        assert torch.allclose(weights[0][name], weights[1][name], atol=1e-5), name


def test_the_test_images_are_looked_at_once_where_there_are_validation_images(
    run: Run, tmp_path: Path
) -> None:
    result = run()
    assert [line["kind"] for line in points(tmp_path / "run", split="test")] == ["final"]
    assert len(points(tmp_path / "run", split="validation", kind="epoch")) == 2
    assert result.validation is not None
    assert result.validation.count == 500


def test_without_validation_images_the_test_gives_the_curve_and_nothing_is_selected(
    run: Run, tmp_path: Path
) -> None:
    result = run("data.validation_size=0")
    assert len(points(tmp_path / "run", split="test", kind="epoch")) == 2
    assert (result.validation, result.best_epoch, result.tested_epoch) == (None, None, 2)
    assert not (tmp_path / "run" / "checkpoints" / "best.pt").exists()


def test_the_best_epoch_is_tested_not_the_last(run: Run, tmp_path: Path) -> None:
    # A rate that ruins the second epoch, and a first that was good.
    result = run("scheduler=step", "scheduler.gamma=100", "optimizer=adam", "optimizer.lr=0.003")
    epochs = [
        line["accuracy"] for line in points(tmp_path / "run", split="validation", kind="epoch")
    ]
    assert epochs[0] > epochs[1]
    assert (result.best_epoch, result.tested_epoch) == (1, 1)
    assert result.validation is not None
    assert result.validation.accuracy == epochs[0]
    assert result.weights_sha256 != result.last_weights_sha256
    last = run(
        "scheduler=step",
        "scheduler.gamma=100",
        "optimizer=adam",
        "optimizer.lr=0.003",
        "trainer.test_weights=last",
        folder="l",
    )
    assert last.tested_epoch == 2
    assert last.weights_sha256 == last.last_weights_sha256 == result.last_weights_sha256


def test_patience_stops_a_run_that_gets_no_better(run: Run) -> None:
    result = run(
        "trainer.epochs=6",
        "trainer.patience=1",
        "scheduler=step",
        "scheduler.gamma=1000",
        "optimizer=adam",
        "optimizer.lr=0.003",
    )
    assert result.stopped_early
    assert result.epochs < 6


def test_a_moving_average_is_what_is_evaluated(run: Run, tmp_path: Path) -> None:
    """By hand: after the first update the average is a copy; then a <- d a + (1 - d) w for each
    update."""
    run(
        "trainer.ema_decay=0.9",
        "trainer.batch_size=250",
        "trainer.epochs=1",
        "trainer.checkpoint_every=1",
        folder="ema",
    )
    plain = run("trainer.batch_size=250", "trainer.epochs=1", folder="plain")
    state = load_checkpoint(tmp_path / "ema" / "checkpoints" / "last.pt")
    trained = load_checkpoint(tmp_path / "plain" / "checkpoints" / "last.pt")
    assert all(
        torch.equal(state["model"][name], trained["weights"][name]) for name in trained["weights"]
    )
    assert any(
        not torch.equal(state["weights"][name], state["model"][name]) for name in state["weights"]
    )
    assert plain.steps == 4


def test_a_run_that_diverges_stops_before_its_weights_do(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"step \d+ .*learning rate 1e\+30"):
        run("optimizer.lr=1e30", "trainer.checkpoint_every=1")
    state = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    assert all(weight.isfinite().all() for weight in state["weights"].values())


def test_every_image_counts_in_the_metrics_of_an_epoch(run: Run, tmp_path: Path) -> None:
    run("trainer.batch_size=64", "trainer.log_every=7")
    first, _ = points(tmp_path / "run", split="train", kind="epoch")
    intervals = [
        line
        for line in points(tmp_path / "run", split="train", kind="interval")
        if line["epoch"] == 1
    ]
    assert [line["step"] for line in intervals] == [7, 14, 16]
    weights = [7 * 64, 7 * 64, 1000 - 14 * 64]
    assert first["loss"] == pytest.approx(
        sum(w * line["loss"] for w, line in zip(weights, intervals, strict=True)) / 1000
    )
    assert first["accuracy"] == pytest.approx(
        sum(w * line["accuracy"] for w, line in zip(weights, intervals, strict=True)) / 1000
    )
    assert all(
        line["gradient_norm"] > 0 and line["images_per_second"] > 0 for line in [first, *intervals]
    )


def test_the_folder_holds_what_later_commands_need(run: Run, tmp_path: Path) -> None:
    result = run("tracker=tensorboard", "seed=0")
    folder = tmp_path / "run"
    written = json.loads((folder / "result.json").read_text())
    assert written["status"] == "completed"
    assert written["test"]["accuracy"] == result.test.accuracy
    assert written["seed"] == 0
    assert written["seconds"].keys() == {"setup", "train", "eval", "total"}
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"] == torch.__version__.split("+")[0]
    assert environment["data_sha256"]["train-images-idx3-ubyte"].startswith("ba891046")
    assert environment["cpu"]["threads"] == torch.get_num_threads()
    for name in ("last.pt", "best.pt"):
        assert load_checkpoint(folder / "checkpoints" / name)["config"]["seed"] == 0
    assert list(folder.glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    "words",
    [
        (
            "scheduler=step",
            "scheduler.gamma=100",
            "optimizer=adam",
            "optimizer.lr=0.003",
        ),  # tests an earlier epoch
        (
            "data.validation_size=0",
            "trainer.translations=3",
            "transforms=crop",
        ),  # tests after each epoch
    ],
)
def test_the_saved_predictions_are_those_of_the_result(
    words: tuple[str, ...], run: Run, tmp_path: Path, mnist: DataSet
) -> None:
    result = run(*words)
    saved = read_predictions(tmp_path / "run" / "predictions.npz")
    assert saved is not None
    assert (len(saved), int(saved.right.sum())) == (result.test.count, result.test.correct)
    assert saved.truth.tolist() == mnist.test.labels[:500].tolist()
    assert saved.class_names == tuple("0123456789")


def test_one_batch_is_learned_by_heart(run: Run, tmp_path: Path) -> None:
    run("debug=overfit", "model=fcn", "trainer.epochs=60", "data.train_limit=64", "tracker=none")
    assert points(tmp_path / "run", split="train", kind="epoch")[-1]["accuracy"] == 1.0
