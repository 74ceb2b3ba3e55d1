"""Weight initialization: PyTorch's by default, or Kaiming with the gain of the activation."""

import math

import pytest
import torch
from torch import nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import ACTIVATIONS, activation, formula_of
from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.models.convolutional import CNN, LeNet5
from mnist_trainer.models.dense import FCN, Linear, TwoLayer
from mnist_trainer.models.formulas.activations import ACTIVATIONS as FORMULAS
from mnist_trainer.models.initialization import gain, initialize


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("identity", 1.0),
        ("relu", math.sqrt(2)),  # He et al. 2015
        ("leaky_relu", math.sqrt(2 / (1 + 0.01**2))),  # He et al. 2015, eq. 15
        ("tanh", 1.5925),
        (
            "erf",
            (2 / math.pi * math.asin(math.pi / 2 / (1 + math.pi / 2))) ** -0.5,
        ),  # Williams 1998: E[erf²] is an arcsine
    ],
)
def test_gain_equals_published_values(name: str, expected: float) -> None:
    assert gain(FORMULAS[name]) == pytest.approx(expected, rel=1e-4 if name == "tanh" else 1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_matched_weights_keep_the_mean_square_through_ten_layers(name: str) -> None:
    torch.manual_seed(0)
    model = FCN([400] * 10, name, 0.0, 400, image_size=20, init="matched")
    sizes = []
    for layer in model.layers:
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda _, __, z: sizes.append(z.square().mean().item()))
    model(torch.randn(256, 1, 20, 20))
    assert len(sizes) == 11
    assert all(0.5 < size < 2 for size in sizes), sizes


def test_default_weights_shrink_the_mean_square() -> None:
    torch.manual_seed(0)
    model = FCN([400] * 10, "relu", 0.0, 400, image_size=20)
    assert model(torch.randn(256, 1, 20, 20)).square().mean() < 0.01


@pytest.mark.parametrize("name", ["relu", "gd"])
def test_every_model_accepts_matched_weights(name: str) -> None:
    blocks = [{"channels": 64, "kernel_size": 3}, {"channels": 64, "kernel_size": 3}]
    models = {
        "fcn": FCN([64, 64], name, 0.1, 10, init="matched"),
        "two_layer": TwoLayer(64, name, 0.0, 10, init="matched"),
        "linear": Linear(10, init="matched"),
        "cnn": CNN([64, 64], 5, 0, 2, [64], name, 0.0, 10, init="matched"),
        "lenet5": LeNet5(name, "average", 0.0, 10, init="matched"),
        "convnet": ConvNet(blocks, False, [64], name, 0.0, 10, init="matched"),
    }
    factor = gain(FORMULAS[name])
    for model in models.values():
        layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        for index, layer in enumerate(layers):
            expected = (factor if index else 1.0) / math.sqrt(layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.25)
            assert layer.bias is not None
            assert not layer.bias.any()


def test_batch_norm_keeps_the_gain_of_the_activation() -> None:
    """Convolution, normalization, activation, linear: only the last layer has the gain."""
    torch.manual_seed(0)
    model = ConvNet(
        [{"channels": 32, "kernel_size": 3}], True, [], "relu", 0.0, 100, init="matched"
    )
    output = next(layer for layer in model.modules() if isinstance(layer, nn.Linear))
    assert output.weight.std().item() == pytest.approx(math.sqrt(2 / output.in_features), rel=0.05)


def test_default_weights_equal_pytorchs() -> None:
    torch.manual_seed(5)
    ours = FCN([32, 16], "tanh", 0.0, 10)
    torch.manual_seed(5)
    plain = [nn.Linear(784, 32), nn.Linear(32, 16), nn.Linear(16, 10)]
    expected = [parameter for layer in plain for parameter in (layer.weight, layer.bias)]
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), expected, strict=True))


def test_unknown_init_is_refused() -> None:
    with pytest.raises(ConfigError, match="default, matched"):
        initialize(nn.Linear(2, 2), "xavier")


def test_formula_is_found_for_equal_modules_only() -> None:
    for name in ACTIVATIONS:
        assert formula_of(activation(name)) is FORMULAS[name]
    for other in (
        nn.LeakyReLU(0.2),
        nn.GELU(approximate="tanh"),
        nn.Softplus(beta=2.0),
        nn.Linear(2, 2),
        nn.Flatten(),
    ):
        assert formula_of(other) is None
