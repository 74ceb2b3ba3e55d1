"""A trained run in a user's hands: every kind of image, its scores, its history, its words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_trainer import load_run
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.errors import ConfigError, DataError
from mnist_trainer.inference.digit_images.classify import classify_all, classify_batch
from mnist_trainer.inference.digit_images.detect import detect
from mnist_trainer.inference.digit_images.find_images import ImageSource
from mnist_trainer.inference.trained_run import TrainedRun
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run


@pytest.fixture
def run(compose: Compose, data_root: Path, tmp_path: Path) -> TrainedRun:
    config = compose(*SMALL, f"data.root={data_root}", "model=linear")
    return load_run(save_run(config, tmp_path / "run").path, device="cpu")


@pytest.fixture
def photograph(some_images: LabelledImages, tmp_path: Path) -> Path:
    """A digit as a person brings it: large, dark on light, in colour."""
    digit = Image.fromarray(some_images.images[7, 0].numpy()).resize((200, 200))
    page = Image.new("RGB", (300, 260), "white")
    page.paste((20, 20, 90), (40, 30, 240, 230), digit)
    page.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_pictures_are_prepared_as_the_command_does(run: TrainedRun, photograph: Path) -> None:
    source = ImageSource("photo", photograph)
    (command,) = classify_batch([(source, detect(source, "one", other_things=False))], run)
    expected = command.digits[0].probabilities
    with Image.open(photograph) as opened:
        guises: list[Any] = [photograph, str(photograph), opened.copy(), opened, [photograph]]
        for guise in guises:
            assert np.allclose(run.predict_proba(guise), expected[None], atol=1e-6)
            seen = run.as_images(guise)
            assert np.array_equal(seen[0, 0].numpy(), command.digits[0].digit.image)


def test_images_are_classified_together_as_alone(
    run: TrainedRun, photograph: Path, some_images: LabelledImages, tmp_path: Path
) -> None:
    """Digits of several images in one batch, among them a photograph with several segmentations, a
    file that is no picture, and an image of MNIST."""
    Image.fromarray(some_images.images[1, 0].numpy()).save(tmp_path / "own.png")
    (tmp_path / "text.png").write_bytes(b"text")
    Image.open(photograph).rotate(2, fillcolor="grey").save(tmp_path / "turned.jpg")
    files = [tmp_path / name for name in ("turned.jpg", "text.png", "own.png", "photo.png")]
    sources = [ImageSource(file.name, file) for file in files]
    detections = [detect(source, "one", other_things=False) for source in sources]
    together = list(classify_batch(list(zip(sources, detections, strict=True)), run))
    alone = list(classify_all(sources, detections, run))
    assert [each.text() for each in together] == [each.text() for each in alone]
    assert [bool(each.error) for each in together] == [False, True, False, False]
    for one, other in zip(together, alone, strict=True):
        for a, b in zip(one.digits, other.digits, strict=True):
            assert np.array_equal(a.digit.image, b.digit.image)
            assert np.allclose(a.probabilities, b.probabilities, atol=1e-6)


def test_an_image_of_pillow_stays_as_it_is(run: TrainedRun, photograph: Path) -> None:
    Image.open(photograph).resize((3000, 2600)).save(photograph.with_suffix(".jpg"))
    with Image.open(photograph.with_suffix(".jpg")) as opened:
        run.predict(opened)
        assert opened.size == (3000, 2600)


def test_lists_of_every_kind(
    run: TrainedRun, photograph: Path, some_images: LabelledImages
) -> None:
    digits = some_images.images[:3]
    expected = run.predict_proba(digits)
    levels = (digits[:, 0].double() / 255).numpy()
    guises: list[Any] = [
        list(digits), list(digits[:, 0].numpy()), levels, list(levels), levels.tolist(),
        [digits[:2], digits[2]], (digits[0].numpy(), digits[1].float() / 255, levels[2]),
    ]  # fmt: skip
    for guise in guises:
        assert np.allclose(run.predict_proba(guise), expected, atol=1e-5)
    mixed = run.predict_proba([photograph, levels[0]])
    assert np.allclose(mixed, np.stack([run.predict_proba(photograph)[0], expected[0]]), atol=1e-5)


def test_no_images_are_no_predictions(run: TrainedRun) -> None:
    assert run.predict_proba(np.zeros((0, 28, 28), np.uint8)).shape == (0, 10)


@pytest.mark.parametrize(
    ("images", "error", "expected"),
    [
        ("nowhere.png", DataError, r"nowhere.png: there is no such file"),
        (["."], DataError, r"\.: a folder\. Name its files"),
        (Image.new("L", (50, 40)), DataError, r"L image of 50 x 40 pixels: there is no digit"),
        ([np.zeros((9, 9), np.uint8)], ConfigError, r"shape \(9, 9\).*must be \(N, 28, 28\)"),
        (3, ConfigError, "shape"),
    ],
)
def test_what_cannot_be_predicted_is_named(
    run: TrainedRun, images: Any, error: type[Exception], expected: str
) -> None:
    with pytest.raises(error, match=expected):
        run.predict(images)


def test_history_has_a_row_for_each_epoch(run: TrainedRun) -> None:
    assert run.folder is not None
    lines = [
        {"kind": "interval", "split": "train", "epoch": 1, "step": 1, "loss": 9.0},
        {"kind": "epoch", "split": "train", "epoch": 1, "step": 2, "loss": 2.0, "learning_rate": 1},
        {"kind": "epoch", "split": "validation", "epoch": 1, "step": 2, "accuracy": 0.5},
        {"kind": "epoch", "split": "train", "epoch": 2, "step": 4, "gradient_norm": None},
    ]
    text = "\n".join(map(json.dumps, lines)) + '\n[1]\n"x"\n{"kind": "epoch", "spl'
    run.folder.metrics.write_text(text)
    assert run.history == [
        {"epoch": 1, "step": 2, "train_loss": 2.0, "learning_rate": 1, "validation_accuracy": 0.5},
        {"epoch": 2, "step": 4, "gradient_norm": None},
    ]
    run.folder.metrics.unlink()
    with pytest.raises(DataError, match=r"metrics.jsonl: cannot be read"):
        _ = run.history


def test_the_representation_is_short(run: TrainedRun) -> None:
    assert repr(run).splitlines() == [
        "linear with sgd: 7,850 parameters, weights of epoch 1, mnist", "  not tested",
        f"  {run.folder}",
    ]  # fmt: skip
    assert run.result == {}
    assert run.folder is not None
    for odd in ("[]", '{"test": 3}', '{"test": {"accuracy_interval_95": ["a", 1]}}'):
        run.folder.result.write_text(odd)
        assert "not tested" in repr(load_run(run.folder.path, device="cpu"))
    assert repr(run.predict(torch.zeros(12, 28, 28))).startswith("12 images: ")
    assert repr(run.predict(torch.zeros(12, 28, 28))).endswith(" %), ...")


def test_completion_shows_no_internals_of_modules(run: TrainedRun) -> None:
    shown = {name for name in dir(run) if not name.startswith("_")}
    assert not shown & {"register_forward_hook", "state_dict", "train", "parameters"}
    assert {"predict", "predict_proba", "evaluate", "history", "result", "config"} <= shown


def test_an_unknown_split_is_named(run: TrainedRun) -> None:
    with pytest.raises(ConfigError, match=r"split=val: must be one of: test, validation, train"):
        run.evaluate("val")


def test_a_lone_checkpoint_has_no_history(run: TrainedRun, tmp_path: Path) -> None:
    (tmp_path / "alone.pt").write_bytes(run.checkpoint.path.read_bytes())
    alone = load_run(tmp_path / "alone.pt", device="cpu")
    with pytest.raises(ConfigError, match=r"alone.pt lies outside of a run folder"):
        _ = alone.history
    assert "not tested" in repr(alone)
