"""The answers to single images: of the very pass that the accuracy is of, and readable without
trusting the file."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.errors import DataError
from mnist_trainer.models.dense import FCN
from mnist_trainer.runs.predictions import Predictions, read_predictions, write_predictions
from mnist_trainer.training.evaluation import PredictionRecord, averaged_logits, evaluate
from tests.conftest import Compose

NAMES = ("ant", "bee", "çat")


def answers() -> Predictions:
    return Predictions(
        np.array([0, 1, 2, 2, 0], np.uint16),
        np.array([0.9, 0.6, 0.5, 0.99, 0.7], np.float32),
        np.array([0, 2, 2, 0, 1], np.uint16),
        NAMES,
    )


def test_predictions_read_as_written(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.npz", answers())
    read = read_predictions(tmp_path / "p.npz")
    assert read is not None
    for name in ("predicted", "probability", "truth"):
        assert np.array_equal(getattr(read, name), getattr(answers(), name))
    assert read.class_names == NAMES
    assert [path.name for path in tmp_path.iterdir()] == ["p.npz"]


def test_confusion_and_worst_mistakes_by_hand() -> None:
    assert answers().confusion().tolist() == [[1, 0, 1], [1, 0, 0], [0, 1, 1]]
    assert answers().right.tolist() == [True, False, True, False, False]
    assert answers().worst(2).tolist() == [3, 4]
    assert answers().worst(9).tolist() == [3, 4, 1]


@pytest.mark.parametrize("translations", [1, 3])
@pytest.mark.parametrize("batch_size", [7, 50])
def test_predictions_are_of_the_scored_pass(
    batch_size: int, translations: int, compose: Compose
) -> None:
    generator = torch.Generator().manual_seed(1)
    images, labels = (
        torch.randn(50, 1, 28, 28, generator=generator),
        torch.randint(0, 10, (50,), generator=generator),
    )
    model, record = FCN([16], "relu", 0.0, 10), PredictionRecord()
    device = select_device(compose("device=cpu").device)
    metrics = evaluate(
        model, nn.CrossEntropyLoss(), device, images, labels, batch_size, translations, record
    )
    read = record.read(labels, tuple("0123456789"))
    with torch.inference_mode():
        probabilities = averaged_logits(model, images, translations).softmax(1)
    assert int(read.right.sum()) == metrics.correct
    assert read.predicted.tolist() == probabilities.argmax(1).tolist()
    assert read.probability == pytest.approx(probabilities.max(1).values.numpy(), abs=1e-6)
    assert read.truth.tolist() == labels.tolist()


def test_a_missing_file_gives_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path / "none.npz") is None


def archive(**arrays: np.ndarray) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()


def hostile() -> bytes:
    """An array of objects, which NumPy would have to unpickle."""
    return archive(
        predicted=np.array([{}], dtype=object),
        probability=np.zeros(1),
        truth=np.zeros(1),
        class_names=np.zeros(1),
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 cut",
        b"no archive at all",
        hostile(),
        archive(predicted=np.zeros(3, np.uint16)),
        archive(
            predicted=np.zeros(3, np.uint16),
            probability=np.zeros(2),
            truth=np.zeros(3, np.uint16),
            class_names=np.zeros(3),
        ),
        archive(
            predicted=np.zeros(3),
            probability=np.zeros(3),
            truth=np.zeros(3),
            class_names=np.zeros(3),
        ),
    ],
)
def test_a_damaged_or_hostile_file_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"predictions\.npz"):
        read_predictions(path)


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "predictions.npz"
    write_predictions(path, answers())
    with zipfile.ZipFile(path) as packed:
        offset = packed.getinfo("truth.npy").header_offset + 30 + len("truth.npy") + 130
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError):
        read_predictions(path)
