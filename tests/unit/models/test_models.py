"""The networks: shapes, options, and what training does to them."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from mnist_trainer.activations import ACTIVATIONS, activation
from mnist_trainer.errors import ConfigError
from mnist_trainer.models import CNN, FCN, LeNet5, Linear, TwoLayer

EVERY_MODEL: dict[str, Callable[[str, float, int], nn.Module]] = {
    "fcn": lambda function, dropout, classes: FCN([32, 16], function, dropout, classes),
    "cnn": lambda function, dropout, classes: CNN([4, 8], 5, 0, 2, [16], function, dropout, classes),
    "lenet5": lambda function, dropout, classes: LeNet5(function, "average", dropout, classes),
    "two_layer": lambda function, dropout, classes: TwoLayer(20, function, dropout, classes),
}


@pytest.mark.parametrize("name", EVERY_MODEL)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_logits_have_a_column_for_each_class(name: str, function: str) -> None:
    assert EVERY_MODEL[name](function, 0.0, 26)(torch.rand(3, 1, 28, 28)).shape == (3, 26)


@pytest.mark.parametrize("name", EVERY_MODEL)
def test_dropout_is_random_in_training_only(name: str) -> None:
    model = EVERY_MODEL[name]("relu", 0.5, 10)
    images = torch.rand(3, 1, 28, 28)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def test_linear_is_one_matrix() -> None:
    model = Linear(10)
    weight, bias = model.parameters()
    images = torch.rand(5, 1, 28, 28)
    assert torch.allclose(model(images), images.flatten(1) @ weight.T + bias, atol=1e-6)


def test_the_cnn_is_convolution_activation_pooling_in_that_order() -> None:
    model = CNN([10, 20], 5, 0, 2, [], "relu", 0.0, 10)
    convolution_1, convolution_2 = (layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    (output,) = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    images = torch.rand(2, 1, 28, 28)
    step = torch.nn.functional.max_pool2d(convolution_1(images).clamp(min=0), 2)
    step = torch.nn.functional.max_pool2d(convolution_2(step).clamp(min=0), 2)
    assert torch.allclose(model(images), output(step.flatten(1)), atol=1e-6)


def test_an_activation_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="relu, leaky_relu, tanh, sigmoid, gelu"):
        activation("swish")
