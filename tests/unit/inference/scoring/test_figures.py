"""What goes to TensorBoard, and what an earlier evaluation leaves behind."""

from pathlib import Path

import torch
from torch import nn

from mnist_trainer.inference.scoring.figures import clear, first_layer, sprites
from mnist_trainer.models.convolutional import CNN
from mnist_trainer.models.dense import Linear


def test_only_what_an_evaluation_wrote_is_cleared(tmp_path: Path) -> None:
    mine, others = tmp_path / "00079" / "last_features", tmp_path / "2026" / "notes"
    for folder in (mine, others):
        folder.mkdir(parents=True)
        (folder / "tensors.tsv").write_text("1")
    for name in ("events.out.tfevents.1.host", "projector_config.pbtxt", "notes.txt"):
        (tmp_path / name).write_text("")
    clear(tmp_path)
    clear(tmp_path / "not there")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026", "notes.txt"]


def test_the_first_layer_as_pictures() -> None:
    cnn = CNN([3, 4], 5, 0, 2, [], "relu", 0.0, 10)
    kernels = first_layer(cnn, 28)
    assert kernels is not None
    assert torch.equal(torch.tensor(kernels), next(cnn.parameters()).detach()[:, 0])
    rows = first_layer(Linear(10, 24), 24)
    assert rows is not None
    assert rows.shape == (10, 24, 24)
    assert first_layer(nn.Sequential(nn.Flatten(), nn.Linear(100, 10)), 28) is None


def test_thumbnails_are_dark_on_white_and_leave_the_images_alone() -> None:
    images = torch.tensor([[[[0, 255], [51, 0]]]], dtype=torch.uint8)
    drawn = sprites(images)
    assert drawn.shape == (1, 3, 2, 2)
    assert torch.allclose(drawn[0, 2], torch.tensor([[1.0, 0.0], [0.8, 1.0]]))
    assert images[0, 0, 0, 1] == 255
