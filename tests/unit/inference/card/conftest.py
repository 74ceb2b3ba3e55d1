"""A network that knows digits a little, and what its card is made of."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mnist_trainer.data.images import DataSet
from mnist_trainer.inference.card.parts import Effort
from mnist_trainer.inference.card.subject import Subject
from mnist_trainer.inference.loading import load_run
from mnist_trainer.inference.scoring.evaluation_result import data_settings, load_split
from mnist_trainer.inference.trained_model import TrainedModel
from tests.conftest import Compose
from tests.saved_runs import SMALL, save_run

TINY = Effort("tiny", 60, 40, (0.0, 0.1, 0.3), 3, 1, 30, 50, 40)


@pytest.fixture(scope="session")
def linear(mnist: DataSet) -> nn.Module:
    """A linear network, 100 updates."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.Adam(model.parameters(), 0.005)
    for step in range(100):
        batch = mnist.train.select(torch.arange(64 * step, 64 * step + 64))
        optimizer.zero_grad()
        pixels = (batch.images.float() / 255 - 0.1307) / 0.3081
        nn.functional.cross_entropy(model(pixels), batch.labels).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture
def trained(compose: Compose, linear: nn.Module, data_root: Path, tmp_path: Path) -> TrainedModel:
    """Loaded from a run folder; of its 120 test images and its 50 validation images."""
    run = save_run(compose(*SMALL, "model=linear", f"data.root={data_root}"), tmp_path / "run")
    loaded = load_run(run.path, device="cpu")
    loaded.model.load_state_dict(
        dict(zip(loaded.model.state_dict(), linear.state_dict().values(), strict=True))
    )
    return loaded


@pytest.fixture
def subject(trained: TrainedModel, data_root: Path) -> Subject:
    settings = data_settings(trained, None, str(data_root))
    _, test = load_split(trained, settings, "test")
    return Subject(trained, settings, test, TINY)
