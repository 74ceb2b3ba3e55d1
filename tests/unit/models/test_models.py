"""The networks: shapes, options, and equality with textbook definitions."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import ACTIVATIONS, MONOTONIC, activation
from mnist_trainer.models.blocks import Block
from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.models.convolutional import CNN, LeNet5
from mnist_trainer.models.dense import FCN, Linear, TwoLayer

EVERY_MODEL: dict[str, Callable[[str, float, int], nn.Module]] = {
    "fcn": lambda function, dropout, classes: FCN([32, 16], function, dropout, classes),
    "cnn": lambda function, dropout, classes: CNN(
        [4, 8], 5, 0, 2, [16], function, dropout, classes
    ),
    "lenet5": lambda function, dropout, classes: LeNet5(function, "average", dropout, classes),
    "two_layer": lambda function, dropout, classes: TwoLayer(20, function, dropout, classes),
}


@pytest.mark.parametrize("name", EVERY_MODEL)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_logits_have_one_column_per_class(name: str, function: str) -> None:
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


def test_cnn_is_convolution_activation_pooling() -> None:
    model = CNN([10, 20], 5, 0, 2, [], "relu", 0.0, 10)
    convolution_1, convolution_2 = (
        layer for layer in model.modules() if isinstance(layer, nn.Conv2d)
    )
    (output,) = (layer for layer in model.modules() if isinstance(layer, nn.Linear))
    images = torch.rand(2, 1, 28, 28)
    step = torch.nn.functional.max_pool2d(convolution_1(images).clamp(min=0), 2)
    step = torch.nn.functional.max_pool2d(convolution_2(step).clamp(min=0), 2)
    assert torch.allclose(model(images), output(step.flatten(1)), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "pool"),
    [
        (
            lambda function: CNN([6, 8], 5, 0, 2, [], function, 0.0, 10),
            torch.nn.functional.max_pool2d,
        ),
        (lambda function: LeNet5(function, "max", 0.0, 10), torch.nn.functional.max_pool2d),
        (lambda function: LeNet5(function, "average", 0.0, 10), torch.nn.functional.avg_pool2d),
    ],
    ids=["cnn", "lenet5", "lenet5 with averages"],
)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_pooling_first_equals_the_textbook_order(
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
    ours, theirs = (
        torch.autograd.grad(logits.square().sum(), weights) for logits in (model(images), expected)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_monotonic_activations(function: str) -> None:
    """PyTorch's softplus becomes the identity at 20, where in float64 it falls by 2e-9."""
    values = activation(function)(torch.linspace(-30, 30, 600_001, dtype=torch.float64))
    assert (values.diff().min().item() >= -1e-8) == (function in MONOTONIC)


def test_unknown_activation_is_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match=", ".join(ACTIVATIONS)):
        activation("swish")


def test_convnet_shapes_by_hand() -> None:
    """24 -> (24 - 5) // 2 + 1 = 10 -> 10 - 3 + 1 = 8, pooled 4 -> 32 * 4 * 4 = 512."""
    blocks = [
        {"channels": 16, "kernel_size": 5, "stride": 2},
        {"channels": 32, "kernel_size": 3, "pool": 2},
    ]
    model = ConvNet(blocks, False, [64], "relu", 0.0, 10, image_size=24)
    shapes = [tuple(parameter.shape) for parameter in model.parameters() if parameter.dim() > 1]
    assert shapes == [(16, 1, 5, 5), (32, 16, 3, 3), (64, 512), (10, 64)]
    assert model(torch.rand(3, 1, 24, 24)).shape == (3, 10)


def test_block_pools_first_and_batch_norm_replaces_bias() -> None:
    blocks = [{"channels": 4, "kernel_size": 3, "padding": 1, "pool": 2}]
    model = ConvNet(blocks, True, [], "relu", 0.0, 10)
    kinds = [type(layer) for layer in model.features]
    assert kinds == [nn.Conv2d, nn.MaxPool2d, nn.BatchNorm2d, nn.ReLU]
    assert model.features[0].bias is None


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        (
            [{"channels": 4, "kernel_size": 5, "pool": 4}] * 3,
            r"blocks\[1\].*2x2 pixels, too few for pooling by 4",
        ),
        (
            [{"channels": 4, "kernel_size": 3, "pool": 27}],
            r"26x26 pixels.*Out = floor\(\(26 - 27 \+ 2\*0\)/27\) \+ 1 = 0",
        ),
        (
            [{"channels": 4, "kernel_size": 29}],
            r"28x28 pixels.*kernel of 29.*Out = floor\(\(28 - 29 \+ 2\*0\)/1\) \+ 1 = 0",
        ),
    ],
)
def test_block_that_does_not_fit_is_named(blocks: list[dict[str, int]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ConvNet(blocks, False, [], "relu", 0.0, 10)


@pytest.mark.parametrize("size", [1, 2, 5, 28])
def test_block_fits_exactly_where_its_layers_do(size: int) -> None:
    for kernel, stride, padding, pool in itertools.product((1, 3, 6), (1, 2, 9), (0, 2), (1, 2, 7)):
        block = Block(1, kernel, stride, padding, pool)
        layers = nn.Sequential(nn.Conv2d(1, 1, kernel, stride, padding), nn.MaxPool2d(pool))
        try:
            made = layers(torch.zeros(1, 1, size, size)).shape[-1]
        except RuntimeError:
            assert block.shape_mismatch(size)
        else:
            assert (block.shape_mismatch(size), block.output_size(size)) == (None, made)


SOUND = {"channels": 4, "kernel_size": 3}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (SOUND | {"stride": 0}, "model.blocks[1].stride=0: must be at least 1"),
        (SOUND | {"stride": -2}, "model.blocks[1].stride=-2: must be at least 1"),
        (SOUND | {"pool": 0}, "model.blocks[1].pool=0: must be at least 1"),
        (SOUND | {"pool": -1}, "model.blocks[1].pool=-1: must be at least 1"),
        (SOUND | {"channels": 0}, "model.blocks[1].channels=0: must be at least 1"),
        (SOUND | {"kernel_size": 0}, "model.blocks[1].kernel_size=0: must be at least 1"),
        (SOUND | {"padding": -1}, "model.blocks[1].padding=-1: must be at least 0"),
        (
            SOUND | {"kernel_size": "a"},
            "model.blocks[1].kernel_size=a: must be a whole number, at least 1",
        ),
        (
            SOUND | {"kernel_size": 2.5},
            "model.blocks[1].kernel_size=2.5: must be a whole number, at least 1",
        ),
        (
            SOUND | {"padding": None},
            "model.blocks[1].padding=null: must be a whole number, at least 0",
        ),
        (SOUND | {"pool": True}, "model.blocks[1].pool=true: must be a whole number, at least 1"),
        (
            3,
            (
                "model.blocks[1]=3: must be a mapping with channels and kernel_size, such as"
                " {channels:32,kernel_size:3,pool:2}"
            ),
        ),
        (None, "model.blocks[1]=null: must be a mapping"),
        (
            {"channels": 4},
            (
                "model.blocks[1].kernel_size is missing: a block needs channels and kernel_size,"
                " such as {channels:32"
            ),
        ),
        (
            SOUND | {"strid": 2},
            (
                "model.blocks[1].strid is not a setting. Did you mean model.blocks[1].stride? Valid"
                " under"
            ),
        ),
    ],
    ids=str,
)
def test_invalid_block_is_refused_with_key_and_valid_values(
    entry: object, said: str, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ConfigError) as refused:
        ConvNet([SOUND, entry], False, [], "relu", 0.0, 10)  # type: ignore[list-item]
    assert str(refused.value).startswith(said)
    assert len(str(refused.value).splitlines()) == 1
    assert not recwarn.list


def test_mistakes_of_all_blocks_in_ten_lines_at_most() -> None:
    wrong: dict[str, Any] = {"channels": 0, "kernel_size": "a", "pool": 0}
    with pytest.raises(ConfigError) as refused:
        ConvNet([wrong, SOUND, wrong], False, [], "relu", 0.0, 10)
    assert [line.partition("=")[0] for line in str(refused.value).splitlines()] == [
        f"model.blocks[{index}].{name}" for index in (0, 2) for name in wrong
    ]
    with pytest.raises(ConfigError) as refused:
        ConvNet([wrong] * 4, False, [], "relu", 0.0, 10)
    assert len(str(refused.value).splitlines()) == 10
    assert str(refused.value).endswith("and 3 more mistakes in model.blocks")


def test_blocks_must_be_a_list() -> None:
    with pytest.raises(
        ConfigError, match=r"model.blocks=5: must be a list of blocks, such as \[\{channels"
    ):
        ConvNet(5, False, [], "relu", 0.0, 10)  # type: ignore[arg-type]


def test_cnn_mismatch_names_kernel_or_pooling() -> None:
    with pytest.raises(
        ConfigError, match=r"leaves 24x24 pixels, too few for pooling by 25: Out = floor\(\(24 - 25"
    ):
        CNN([4], 5, 0, 25, [], "relu", 0.0, 10)
    with pytest.raises(ConfigError, match=r"block 0 sees 28x28 pixels, too few for a kernel of 29"):
        CNN([4], 29, 0, 2, [], "relu", 0.0, 10)


@pytest.mark.parametrize("size", [24, 20])
def test_models_adapt_to_the_image_size(size: int) -> None:
    images = torch.rand(2, 1, size, size)
    for model in (
        CNN([4], 5, 0, 2, [], "relu", 0.0, 10, size),
        FCN([8], "relu", 0.0, 10, size),
        Linear(10, size),
    ):
        assert model(images).shape == (2, 10)
    with pytest.raises(ConfigError, match="28x28"):
        LeNet5("tanh", "max", 0.0, 10, size)
