"""Runs that keep a film: the same weights, and snapshots that are what the network was."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.images import DataSet
from mnist_trainer.data.split import split
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.loading import load_run
from mnist_trainer.runs.checkpoint import load_checkpoint
from mnist_trainer.runs.film import Film, film_steps, read_film
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.result import Result
from mnist_trainer.training.film import filters_of, first_layer, last_linear, rounded
from mnist_trainer.training.run import train
from mnist_trainer.training.trainer import Trainer
from tests.conftest import Compose

SMALL = (
    "device=cpu",
    "data.train_limit=320",
    "data.validation_limit=60",
    "data.test_limit=50",
    "trainer.epochs=2",
    "trainer.batch_size=32",
    "tracker=none",
)
FILM = "trainer.film=true"
Run = Callable[..., Result]


@pytest.fixture
def settings(compose: Compose, data_root: Path) -> Callable[..., RunConfig]:
    return lambda *words: compose(f"data.root={data_root}", *SMALL, *words)


@pytest.fixture
def run(settings: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train into ``tmp_path/<folder>``; in a folder that is there, resume."""
    monkeypatch.chdir(tmp_path)

    def trained(*words: str, folder: str = "run") -> Result:
        path, config = tmp_path / folder, settings(*words)
        if path.exists():
            config = config.resumed_from(path)
        path.mkdir(exist_ok=True)
        return train(config, RunFolder(path), time.perf_counter())

    return trained


def film_in(folder: Path) -> Film:
    film = read_film(folder / "film.npz")
    assert film is not None
    return film


def arrays(folder: Path) -> dict[str, Any]:
    with np.load(folder / "film.npz") as content:
        return {name: content[name].tolist() for name in content.files}


@pytest.mark.parametrize(
    "words",
    [
        ("model.dropout=0.3", "transforms=augment", "trainer.ema_decay=0.9"),
        ("model=two_layer", "trainer.engine=numpy", "data.validation_size=0"),
    ],
    ids=["autograd", "numpy"],
)
def test_a_film_changes_no_weight(words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    plain, filmed = run(*words, folder="plain"), run(*words, FILM, folder="filmed")
    assert plain.weights_sha256 == filmed.weights_sha256
    assert plain.last_weights_sha256 == filmed.last_weights_sha256
    assert plain.test == filmed.test
    assert not (tmp_path / "plain" / "film.npz").exists()
    random = [
        load_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["random"]
        for name in ("plain", "filmed")
    ]
    assert str(random[0]) == str(random[1])
    assert torch.equal(random[0]["torch"], random[1]["torch"])


@pytest.mark.parametrize("ema", ["null", "0.9"])
def test_the_last_snapshot_is_the_network(
    ema: str, run: Run, mnist: DataSet, settings: Compose, tmp_path: Path
) -> None:
    words = ("model=lenet5", f"trainer.ema_decay={ema}", "trainer.test_weights=last")
    run(*words, FILM)
    film = film_in(tmp_path / "run")
    assert [each.step for each in film.snapshots] == film_steps(20)
    assert film.images.split == "validation"
    trained, last = load_run(tmp_path / "run", "last", "cpu"), film.snapshots[-1]
    weights = filters_of(first_layer(trained.model)).astype(np.float64)
    np.testing.assert_array_equal(
        np.rint(last.filters / film.filter_unit), np.rint(weights / film.filter_unit)
    )
    validation = split(mnist, settings(*words).data).validation
    images = validation.select(torch.from_numpy(film.images.positions).long())
    assert images.labels.tolist() == film.images.labels.tolist()
    logits = trained.logits(images.images)
    assert logits.argmax(dim=1).tolist() == last.predicted.tolist()
    loss = nn.functional.cross_entropy(logits, images.labels)
    assert last.loss == pytest.approx(float(loss), rel=1e-5)
    start = film.snapshots[0]
    assert start.points is not None
    assert last.points is not None
    assert np.abs(last.points).max() > np.abs(start.points).max()


def test_without_validation_images_training_images_are_filmed(run: Run, tmp_path: Path) -> None:
    run("model=linear", "data.validation_size=0", "trainer.epochs=1", FILM)
    film = film_in(tmp_path / "run")
    assert film.images.split == "train"
    assert len(film.images.labels) == 320


class KilledError(Exception):
    pass


@pytest.mark.parametrize("step", [1, pytest.param(14, marks=pytest.mark.soak)])
def test_a_killed_and_resumed_run_has_the_same_film(
    step: int, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("model=cnn", "trainer.checkpoint_every=3", FILM)
    run(*words, folder="whole")
    after = Trainer.train_step
    made: list[int] = []

    def killed(trainer: Trainer, images: torch.Tensor, labels: torch.Tensor) -> Any:
        output = after(trainer, images, labels)
        if trainer.progress.step == step and not made:
            made.append(step)
            raise KilledError
        return output

    monkeypatch.setattr(Trainer, "train_step", killed)
    with pytest.raises(KilledError):
        run(*words, folder="cut")
    run(*words, folder="cut")
    assert arrays(tmp_path / "cut") == arrays(tmp_path / "whole")


def test_a_longer_run_keeps_its_projection_and_its_size(run: Run, tmp_path: Path) -> None:
    run("model=cnn", FILM)
    before = film_in(tmp_path / "run")
    run("model=cnn", "trainer.epochs=5", FILM)
    after = film_in(tmp_path / "run")
    steps = [each.step for each in after.snapshots]
    assert (steps[0], steps[-1], len(steps)) == (0, 50, 20)
    assert before.projection is not None
    assert after.projection is not None
    np.testing.assert_array_equal(before.projection.axes, after.projection.axes)
    assert "film.npz" in (tmp_path / "run" / "checksums.json").read_text()


def test_a_film_that_begins_late_or_is_damaged_begins_at_the_checkpoint(
    run: Run, tmp_path: Path
) -> None:
    run("model=linear", "trainer.epochs=1")
    run("model=linear", FILM)
    assert film_in(tmp_path / "run").snapshots[0].step == 10
    (tmp_path / "run" / "film.npz").write_bytes(b"no film")
    run("model=linear", "trainer.epochs=3", FILM)
    assert [film_in(tmp_path / "run").snapshots[k].step for k in (0, -1)] == [20, 30]


def test_a_network_without_weights_to_show_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.film=true: .*Use trainer\.film=false"):
        first_layer(nn.Sequential(nn.Flatten(), nn.ReLU()))


def test_layers_that_a_film_shows() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(50, 8), nn.ReLU(), nn.Linear(8, 3))
    assert filters_of(first_layer(network)).shape == (8, 1, 50)
    assert last_linear(network) is network[3]
    assert last_linear(nn.Sequential(nn.Linear(49, 3))) is None
    assert last_linear(nn.Sequential(nn.Conv2d(1, 3, 3))) is None
    assert filters_of(nn.Linear(784, 512)).shape == (12, 28, 28)
    assert filters_of(nn.Conv2d(1, 100, 5)).shape == (64, 5, 5)
    assert rounded(torch.full((3, 5000), 1e9)).shape == (3, 1024)
    assert np.isfinite(rounded(torch.full((3, 5), torch.inf))).all()
