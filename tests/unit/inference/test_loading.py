"""A trained network from its run folder: the same answers as the run's own test, whatever the
images come as."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_trainer import load_run
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import split
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.inference.trained_model import Predictions, check_images
from mnist_trainer.training.evaluation import evaluate
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run


@pytest.fixture
def words(data_root: Path) -> tuple[str, ...]:
    return (*SMALL, f"data.root={data_root}")


@pytest.mark.parametrize(
    "options",
    [
        ("model=cnn",),
        ("model=fcn", "transforms=none"),
        ("model=cnn", "transforms=crop", "trainer.translations=3"),
    ],
    ids=["cnn", "fcn as it is", "cropped, three views"],
)
def test_it_answers_as_the_run_itself_tests(
    compose: Compose, words: tuple[str, ...], tmp_path: Path, options: tuple[str, ...]
) -> None:
    config = compose(*words, *options)
    trained = load_run(save_run(config, tmp_path / "run").path, device="cpu")
    test = split(load_dataset(config.data), config.data).test
    expected = evaluate(
        trained.model,
        torch.nn.CrossEntropyLoss(),
        trained.device,
        trained.prepare(test.images),
        test.labels,
        50,
        config.trainer.translations,
    )
    predictions = trained.predict(test.images)
    assert int((predictions.classes == test.labels).sum()) == expected.correct
    assert torch.allclose(predictions.probabilities.sum(dim=1), torch.ones(len(test)), atol=1e-5)
    assert trained.image_size == (24 if "transforms=crop" in options else 28)
    assert not trained.model.training


def test_the_same_images_in_every_guise_get_the_same_logits(
    compose: Compose, words: tuple[str, ...], tmp_path: Path
) -> None:
    config = compose(*words)
    trained = load_run(save_run(config, tmp_path / "run").path, device="cpu")
    images = split(load_dataset(config.data), config.data).test.images[:5]
    before = images.clone()
    logits = trained.logits(images)
    assert torch.equal(images, before)
    for guise in (
        images[:, 0],
        images[:, 0].numpy(),
        images.float() / 255,
        (images.double() / 255).numpy(),
    ):
        assert torch.allclose(trained.logits(guise), logits, atol=1e-6)
    assert torch.allclose(trained.logits(images[0, 0]), logits[:1], atol=1e-6)
    assert trained.logits(images[:0]).shape == (0, 10)
    best = trained.predict(images)
    assert [row[0][0] for row in best.top(2)] == best.names


@pytest.mark.filterwarnings("error")
def test_arrays_that_torch_cannot_share_are_copied() -> None:
    levels = np.arange(2 * 784, dtype=np.float32).reshape(2, 28, 28) / 2000
    locked = levels.copy()
    locked.flags.writeable = False
    expected = torch.from_numpy(levels)[:, None]
    for guise in (
        levels[::-1][::-1],
        levels.astype(">f4"),
        levels.astype(">f8"),
        locked,
        expected.clone().requires_grad_(),
    ):
        checked = check_images(guise)
        assert torch.equal(checked, expected)
        assert not checked.requires_grad
    assert torch.equal(check_images(levels[:, ::-1, ::-1]), expected.flip(2, 3))
    picture: Any = Image.new("L", (28, 28), 7)
    assert torch.equal(check_images(np.asarray(picture)), check_images(picture))


def test_the_likeliest_classes_are_one_or_more() -> None:
    predictions = Predictions(torch.tensor([1]), torch.tensor([[0.2, 0.8]]), ("0", "1"))
    assert [name for name, _ in predictions.top(9)[0]] == ["1", "0"]
    for count in (0, -1):
        with pytest.raises(
            ConfigError, match=f"count={count}: must be a whole number of 1 or more"
        ):
            predictions.top(count)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (torch.zeros(3, 20, 20, dtype=torch.uint8), r"shape \(3, 20, 20\)"),
        (torch.zeros(2, 3, 28, 28, dtype=torch.uint8), r"shape \(2, 3, 28, 28\)"),
        (torch.zeros(28, 28, dtype=torch.int64), "int64"),
        (torch.full((28, 28), 255.0), "0 to 1"),
        (torch.full((28, 28), float("nan")), "0 to 1"),
        (np.zeros(784, dtype=np.uint8), r"shape \(784,\)"),
        ("seven.png", "str cannot be read"),
    ],
)
def test_other_images_are_refused_with_what_is_valid(images: Any, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        check_images(images)


def hostile_target(saved: dict[str, Any]) -> None:
    saved["config"] = {**saved["config"], "model": {"_target_": "os.system", "command": "true"}}


def other_weights(saved: dict[str, Any]) -> None:
    saved["weights"] = {"layer.weight": torch.zeros(3)}


def odd_choices(saved: dict[str, Any]) -> None:
    saved["choices"] = {"model": 3}


def odd_names(saved: dict[str, Any]) -> None:
    saved["class_names"] = "0123456789"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (hostile_target, "os.system is not on the list"),
        (other_weights, "do not fit the network"),
        (odd_choices, "choices"),
        (odd_names, "class names"),
    ],
)
def test_a_checkpoint_that_is_not_one_is_refused(
    compose: Compose, words: tuple[str, ...], tmp_path: Path, change: Any, expected: str
) -> None:
    folder = save_run(compose(*words, "model=linear"), tmp_path / "run", change=change)
    with pytest.raises(CheckpointError, match=expected):
        load_run(folder.path)


def test_a_flipped_bit_is_found_and_the_other_checkpoint_named(
    compose: Compose, words: tuple[str, ...], tmp_path: Path
) -> None:
    folder = save_run(compose(*words, "model=linear"), tmp_path / "run", is_best=True)
    path = folder.checkpoints / "best.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"(?s)damaged.*others: last.pt"):
        load_run(folder.path)
    assert load_run(folder.path, "last").checkpoint.epoch == 1


def test_the_package_alone_brings_no_torch() -> None:
    program = "import sys, mnist_trainer; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [{"device": "tpu"}, {"precision": "fp8"}, {"translations": 4}, {"checkpoint": "best.zip"}],
)
def test_wrong_arguments_are_answered(
    compose: Compose, words: tuple[str, ...], tmp_path: Path, arguments: dict[str, Any]
) -> None:
    folder = save_run(compose(*words, "model=linear"), tmp_path / "run")
    with pytest.raises((ConfigError, CheckpointError), match=str(next(iter(arguments.values())))):
        load_run(folder.path, **arguments)
