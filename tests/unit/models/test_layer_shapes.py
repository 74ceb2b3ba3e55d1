"""Layer arithmetic against PyTorch's layers, and against examples by hand."""

import itertools
import math

import pytest
import torch
from torch import nn

from mnist_trainer.models.layer_shapes import (
    SlidingWindow,
    macs,
    macs_written_out,
    parameters_written_out,
    shape_mismatch,
    sizes_written_out,
    windows,
)


def test_convolution_output_sizes_equal_pytorchs() -> None:
    for size, kernel, stride, padding, dilation in itertools.product(
        (9, 10, 28), (1, 2, 5), (1, 2, 3), (0, 1, 2), (1, 2)
    ):
        layer = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
        moving = windows(layer)
        assert moving is not None
        if moving[0].output_size(size) < 1:
            assert shape_mismatch(layer, (1, size, size))
            continue
        assert layer(torch.zeros(1, 1, size, size)).shape[-1] == moving[0].output_size(size)


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
def test_pooling_output_sizes_equal_pytorchs(kind: type[nn.Module], ceil: bool) -> None:
    for size, kernel, stride, padding in itertools.product(
        (5, 8, 11, 28), (2, 3, 4), (1, 2, 3, 5), (0, 1)
    ):
        layer = kind(kernel, stride, padding, ceil_mode=ceil)
        moving = windows(layer)
        assert moving is not None
        assert layer(torch.zeros(1, 1, size, size)).shape[-1] == moving[0].output_size(size), layer


@pytest.mark.parametrize("kind", [nn.MaxPool2d, nn.AvgPool2d])
def test_written_pooling_arithmetic_evaluates_to_its_result(kind: type[nn.Module]) -> None:
    for size, kernel, stride, padding in itertools.product(
        (5, 8, 24, 28), (2, 3, 4), (1, 2, 3, 5), (0, 1)
    ):
        layer = kind(kernel, stride, padding, ceil_mode=True)
        output = layer(torch.zeros(1, 1, size, size)).shape[-1]
        first, *more = sizes_written_out(layer, (1, size, size), (1, output, output))
        left, _, right = first.partition(" = ")
        assert eval(left, {"ceil": math.ceil}) == int(right) == output  # noqa: S307
        assert bool(more) == (" - 1 = " in first)


def test_dropped_last_window_is_explained() -> None:
    assert sizes_written_out(nn.MaxPool2d(2, 3, ceil_mode=True), (1, 24, 24), (1, 8, 8)) == [
        "ceil((24 - 2 + 2*0)/3) + 1 - 1 = 8",
        "- 1: the last window would begin at 8*3 = 24, not before 24",
    ]
    assert sizes_written_out(
        nn.MaxPool2d(2, (3, 2), 1, ceil_mode=True), (1, 23, 24), (1, 8, 13)
    ) == [
        "height: ceil((23 - 2 + 2*1)/3) + 1 - 1 = 8",
        "- 1: the last window would begin at 8*3 = 24, not before 23 + 1 = 24",
        "width: ceil((24 - 2 + 2*1)/2) + 1 = 13",
    ]


@pytest.mark.parametrize("layer", [nn.Conv2d(1, 1, 3), nn.MaxPool2d(2)], ids=str)
@pytest.mark.parametrize("key", ["kernel_size", "stride", "dilation"])
def test_invalid_window_is_left_to_pytorch(layer: nn.Module, key: str) -> None:
    setattr(layer, key, (0, 0))
    assert shape_mismatch(layer, (1, 28, 28)) is None


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding_and_rectangular_windows(padding: str) -> None:
    layer = nn.Conv2d(1, 1, (3, 4), padding=padding, dilation=(1, 2))
    moving = windows(layer)
    assert moving is not None
    expected = tuple(layer(torch.zeros(1, 1, 20, 17)).shape[-2:])
    assert (moving[0].output_size(20), moving[1].output_size(17)) == expected


def test_examples_of_the_convolution_chapter() -> None:
    layer = nn.Conv2d(5, 10, 3)
    assert sizes_written_out(layer, (5, 100, 100), (10, 98, 98)) == [
        "floor((100 - 3 + 2*0)/1) + 1 = 98"
    ]
    assert parameters_written_out(layer) == "10*(5*3*3) + 10 = 460"
    assert macs_written_out(layer, (10, 98, 98)) == f"10*98*98 * (5*3*3) = {10 * 98 * 98 * 45:,}"
    assert SlidingWindow(3, 1, 2).written_out(5) == "floor((5 - 3 + 2*1)/1) + 1 = 5"
    assert SlidingWindow(2, 2, 0).written_out(5) == "floor((5 - 2 + 2*0)/2) + 1 = 2"


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, (3, 5), groups=2),
        nn.Conv2d(4, 6, 3, bias=False),
        nn.Linear(784, 10),
        nn.Linear(12, 3, bias=False),
        nn.BatchNorm2d(7),
        nn.PReLU(),
        nn.LayerNorm([3, 4]),
        nn.Bilinear(2, 3, 4),
    ],
    ids=str,
)
def test_written_parameter_counts_are_correct(layer: nn.Module) -> None:
    """The text is Python, apart from words and thousands separators."""
    text = parameters_written_out(layer)
    assert text is not None
    left, _, right = text.replace("scales", "").replace("shifts", "").partition(" = ")
    count = sum(parameter.numel() for parameter in layer.parameters())
    assert eval(left) == count  # noqa: S307
    assert not right or int(right.replace(",", "")) == count


def test_multiply_adds_equal_a_count_per_position() -> None:
    layer = nn.Conv2d(4, 6, (3, 5), groups=2)
    assert macs(layer, (6, 8, 9)) == sum(3 * 5 * 2 for _ in range(6 * 8 * 9))
    assert macs(nn.ReLU(), (6, 8, 9)) == 0
    assert macs_written_out(nn.ReLU(), (6, 8, 9)) is None


@pytest.mark.parametrize(
    ("layer", "shape", "said"),
    [
        (nn.Linear(100, 10), (1352,), "in_features is 100, and 1,352 numbers come"),
        (nn.Linear(72, 10), (2, 6, 6), "2*6*6 = 72 numbers come. A Flatten is missing"),
        (nn.Linear(100, 10), (2, 6, 6), "2*6*6 = 72 numbers come."),
        (nn.Conv2d(3, 8, 3), (1, 28, 28), "in_channels is 3, and 1 come"),
        (nn.Conv2d(1, 8, 3), (784,), "channels x height x width, and 784 comes"),
        (nn.Conv2d(1, 8, 30), (1, 28, 28), "floor((28 - 30 + 2*0)/1) + 1 = -1"),
        (nn.Conv2d(1, 8, (3, 30)), (1, 28, 28), "floor((28 - 30 + 2*0)/1) + 1 = -1"),
        (nn.MaxPool2d(5), (4, 4, 4), "floor((4 - 5 + 2*0)/5) + 1 = 0"),
        (nn.BatchNorm2d(4), (8, 3, 3), "num_features is 4, and 8 channels come"),
    ],
    ids=lambda value: str(value) if isinstance(value, nn.Module) else "",
)
def test_shape_mismatch_is_explained_and_real(
    layer: nn.Module, shape: tuple[int, ...], said: str
) -> None:
    assert said in str(shape_mismatch(layer, shape))
    with pytest.raises((RuntimeError, ValueError)):
        layer(torch.zeros(2, *shape))


def test_fitting_input_is_no_mismatch() -> None:
    for layer, shape in (
        (nn.Linear(10, 3), (10,)),
        (nn.Conv2d(1, 2, 28), (1, 28, 28)),
        (nn.ReLU(), (3,)),
        (nn.MaxPool2d(4), (2, 4, 4)),
    ):
        assert shape_mismatch(layer, shape) is None
        layer(torch.zeros(2, *shape))
