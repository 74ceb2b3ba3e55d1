"""A twin with reversed batches differs from its run in rounding alone."""

import pytest
import torch
from torch import nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.training.twin import dropout_unreversed, reversed_twin
from tests.conftest import Compose

WORDS = (
    "device=cpu",
    "data.train_limit=640",
    "data.validation_limit=50",
    "data.test_limit=50",
    "tracker=none",
)


@pytest.mark.parametrize(
    "words",
    [
        ("model=fcn", "model.dropout=0.4", "transforms=augment"),
        ("model=cnn", "optimizer=adam"),
        ("experiment=fast99", "trainer.batch_size=64"),
        ("model=cnn", "trainer.adversary.epsilon=0.1", "trainer.adversary.steps=2"),
    ],
)
def test_reversed_batches_change_rounding_and_nothing_before(
    compose: Compose, words: tuple[str, ...]
) -> None:
    config = compose(*words, *WORDS)
    device = select_device(config.device)
    run = reversed_twin(config, device, first=99, last=9)
    twin = reversed_twin(config, device, first=4, last=9)
    assert list(run) == list(twin) == [*range(1, 10)]
    assert [twin[step] for step in (1, 2, 3)] == [run[step] for step in (1, 2, 3)]
    differences = [abs(twin[step] - run[step]) for step in range(4, 10)]
    assert 0 < max(differences) < 1e-4


def test_a_twin_leaves_the_working_directory_and_threads_alone(
    compose: Compose, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path_factory.mktemp("cwd")
    monkeypatch.chdir(place)
    config = compose("model=linear", "device.threads=2", *WORDS)
    threads = torch.get_num_threads()
    reversed_twin(config, select_device(config.device), first=1, last=2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert not list(place.iterdir())


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5), nn.AlphaDropout(0.5)])
def test_each_image_meets_the_mask_of_the_run_itself(layer: nn.Module) -> None:
    images = torch.rand(6, 3, 4, 4)
    torch.manual_seed(1)
    expected = layer(images)
    torch.manual_seed(1)
    with dropout_unreversed(nn.Sequential(layer)):
        found = layer(images.flip(0))
    assert torch.equal(found.flip(0), expected)
    torch.manual_seed(1)
    assert not torch.equal(layer(images.flip(0)).flip(0), expected)
