"""The summary of layers against arithmetic by hand."""

import pytest
from torch import nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.convolutional import CNN, LeNet5
from mnist_trainer.models.dense import FCN
from mnist_trainer.models.summary import count_parameters, summarize


def test_the_cnn_of_the_tutorials_by_hand() -> None:
    model = CNN([10, 20], 5, 0, 2, [], "relu", 0.0, 10)
    layers = summarize(model)
    assert [layer.output_shape for layer in layers] == [
        (10, 24, 24), (10, 12, 12), (10, 12, 12), (20, 8, 8), (20, 4, 4), (20, 4, 4), (320,), (10,),
    ]  # fmt: skip
    assert [layer.parameters for layer in layers if layer.parameters] == [260, 5020, 3210]
    assert [layer.macs for layer in layers if layer.macs] == [
        10 * 24 * 24 * 25,
        20 * 8 * 8 * 250,
        320 * 10,
    ]


def test_known_sizes() -> None:
    assert count_parameters(FCN([512, 256, 128, 64], "relu", 0.0, 10)) == 575_050
    assert count_parameters(LeNet5("tanh", "max", 0.0, 10)) == 61_706


def test_summary_leaves_the_model_unchanged() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 26 * 26, 10)
    )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    summarize(model)
    assert model.training
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert not any(layer._forward_hooks for layer in model.modules())


def test_summary_of_a_misfit_names_the_layer() -> None:
    with pytest.raises(ConfigError, match=r"2 \(Linear\)"):
        summarize(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(100, 10)))


def test_too_many_blocks_name_the_block() -> None:
    with pytest.raises(ConfigError, match="block 2"):
        CNN([4, 8, 16, 32], 5, 0, 2, [], "relu", 0.0, 10)
