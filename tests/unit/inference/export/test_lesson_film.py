"""What a lesson page carries of the training, and of which images a network is scored on."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from mnist_trainer import load_run
from mnist_trainer.cli.export import parse, refuse_two_runs
from mnist_trainer.data.loading import load_splits
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.export.lesson_film import film_of, film_part, held_out_part
from mnist_trainer.inference.export.lesson_page import payload
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.film import Film, FilmImages, Snapshot, write_film
from mnist_trainer.runs.trail import TrailFile
from mnist_trainer.training.film import choose_images
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run
from tests.unit.inference.export.test_lesson_data import read


def make(compose: Compose, data_root: Path, folder: Path, *words: str) -> TrainedModel:
    saved = save_run(compose(*SMALL, f"data.root={data_root}", "model=linear", *words), folder)
    return load_run(saved.path, device="cpu", translations=1, precision="fp32")


@pytest.mark.parametrize(
    ("words", "other", "split", "count"),
    [
        ((), (), "validation", 50),
        (("data.validation_size=0",), (), "train", 64),
        ((), ("data.split_seed=5",), "mixed", 50),
        ((), ("data.folds=12", "data.fold=0"), "mixed", 50),
    ],
)
def test_images_to_score_on_are_held_out_or_said_not_to_be(
    words: tuple[str, ...],
    other: tuple[str, ...],
    split: str,
    count: int,
    compose: Compose,
    data_root: Path,
    tmp_path: Path,
) -> None:
    networks = [make(compose, data_root, tmp_path / "a", *words)]
    if other:
        networks.append(make(compose, data_root, tmp_path / "b", *other))
    part = held_out_part(networks, None)
    assert part["split"] == split
    splits = load_splits(networks[0].config.data)
    source = splits.train if split == "train" else splits.validation
    rows = {image.tobytes() for image in source.images[:, 0].numpy()}
    images = read(part["images"])
    assert len(images) == count
    assert all(image.tobytes() in rows for image in images)


def test_a_film_is_carried_and_a_damaged_one_left_out(
    compose: Compose, data_root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = make(compose, data_root, tmp_path / "run")
    assert trained.folder is not None
    assert "film" not in payload([trained])["parts"]
    chosen, rng = choose_images(load_splits(trained.config.data)), np.random.default_rng(0)
    shots = tuple(
        Snapshot(
            step=step,
            loss=2.0 if step else float("nan"),
            filters=rng.normal(size=(2, 28, 28)).astype(np.float32),
            predicted=chosen.labels,
            activations=rng.normal(size=(50, 10)).astype(np.float16),
        )
        for step in (0, 4)
    )
    write_film(trained.folder.film, Film(chosen, 1, shots, None).projected())
    TrailFile(trained.folder.trail).append([2.0, 7, 1.0, 7, 0.5, 7, 0.25, 7])
    film = film_of(trained)
    assert film is not None
    part = film_part(film, trained)
    assert (part["steps"], part["losses"]) == ([0, 4], [None, 2.0])
    assert part["curve"] == [[1, 2.0], [2, 1.0], [3, 0.5], [4, 0.25]]
    filters = read(part["filters"]) * part["filter_unit"]
    assert np.abs(filters[-1] - shots[-1].filters).max() <= 0.501 * part["filter_unit"]
    other = FilmImages("validation", chosen.positions[::-1].copy(), chosen.labels)
    moved = dataclasses.replace(film, images=other)
    np.testing.assert_array_equal(
        read(held_out_part([trained], moved)["labels"]),
        read(held_out_part([trained], film)["labels"]),
    )
    trained.folder.film.write_bytes(b"damaged")
    assert film_of(trained) is None
    assert "The page has no film" in caplog.text


def test_two_runs_are_for_a_lesson_alone() -> None:
    refuse_two_runs(parse(["a", "b", "--format", "lesson"]))
    with pytest.raises(ConfigError, match=r"only a lesson shows two\. Type: mnist-export a b"):
        refuse_two_runs(parse(["a", "b", "--format", "html"]))
