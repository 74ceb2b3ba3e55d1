"""The networks: shapes, options, and what training does to them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.activations import ACTIVATIONS, NEVER_FALLING, activation
from mnist_trainer.errors import ConfigError
from mnist_trainer.models import CNN, FCN, ConvNet, LeNet5, Linear, TwoLayer

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


@pytest.mark.parametrize(
    ("make", "pool"),
    [
        (lambda function: CNN([6, 8], 5, 0, 2, [], function, 0.0, 10), torch.nn.functional.max_pool2d),
        (lambda function: LeNet5(function, "max", 0.0, 10), torch.nn.functional.max_pool2d),
        (lambda function: LeNet5(function, "average", 0.0, 10), torch.nn.functional.avg_pool2d),
    ],
    ids=["cnn", "lenet5", "lenet5 with averages"],
)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_pooling_comes_first_only_where_that_changes_nothing(
    function: str, make: Callable[[str], CNN | LeNet5], pool: Callable[[Tensor, int], Tensor]
) -> None:
    """Against the textbook's order, activation before pooling: logits and gradients."""
    torch.manual_seed(0)
    model = make(function).double()
    images = 3 * torch.randn(5, 1, 28, 28, dtype=torch.float64)
    convolutions = [layer for layer in model.features if isinstance(layer, nn.Conv2d)]
    step = images
    for convolution in convolutions:
        step = pool(activation(function)(convolution(step)), 2)
    expected = model.classifier(step)
    torch.testing.assert_close(model(images), expected, rtol=1e-12, atol=1e-12)
    weights = [layer.weight for layer in convolutions]
    ours, theirs = (torch.autograd.grad(logits.square().sum(), weights) for logits in (model(images), expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_which_activations_never_fall(function: str) -> None:
    """PyTorch's softplus becomes the identity at 20, where in float64 it falls by 2e-9."""
    values = activation(function)(torch.linspace(-30, 30, 600_001, dtype=torch.float64))
    assert (values.diff().min().item() >= -1e-8) == (function in NEVER_FALLING)


def test_an_activation_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=", ".join(ACTIVATIONS)):
        activation("swish")


def test_a_network_of_blocks_by_hand() -> None:
    """24 -> (24 - 5) // 2 + 1 = 10 -> 10 - 3 + 1 = 8, pooled 4 -> 32 * 4 * 4 = 512."""
    blocks = [{"channels": 16, "kernel_size": 5, "stride": 2}, {"channels": 32, "kernel_size": 3, "pool": 2}]
    model = ConvNet(blocks, False, [64], "relu", 0.0, 10, image_size=24)
    shapes = [tuple(parameter.shape) for parameter in model.parameters() if parameter.dim() > 1]
    assert shapes == [(16, 1, 5, 5), (32, 16, 3, 3), (64, 512), (10, 64)]
    assert model(torch.rand(3, 1, 24, 24)).shape == (3, 10)


def test_a_block_pools_first_and_a_norm_takes_the_place_of_a_bias() -> None:
    blocks = [{"channels": 4, "kernel_size": 3, "padding": 1, "pool": 2}]
    model = ConvNet(blocks, True, [], "relu", 0.0, 10)
    kinds = [type(layer) for layer in model.features]
    assert kinds == [nn.Conv2d, nn.MaxPool2d, nn.BatchNorm2d, nn.ReLU]
    assert model.features[0].bias is None


def test_blocks_that_do_not_fit_name_the_block() -> None:
    blocks = [{"channels": 4, "kernel_size": 5, "pool": 4}] * 3
    with pytest.raises(ConfigError, match=r"blocks\[1\].*pooling by 4|blocks\[2\]"):
        ConvNet(blocks, False, [], "relu", 0.0, 10)


@pytest.mark.parametrize("size", [24, 20])
def test_models_follow_the_size_of_the_images(size: int) -> None:
    images = torch.rand(2, 1, size, size)
    for model in (CNN([4], 5, 0, 2, [], "relu", 0.0, 10, size), FCN([8], "relu", 0.0, 10, size), Linear(10, size)):
        assert model(images).shape == (2, 10)
    with pytest.raises(ConfigError, match="28x28"):
        LeNet5("tanh", "max", 0.0, 10, size)
