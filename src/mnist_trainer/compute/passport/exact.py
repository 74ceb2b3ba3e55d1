"""Matrix products and convolutions of whole numbers, which every machine must get exactly right.

Each product and each partial sum is a whole number that the type can represent (below 2^24 in fp32,
2^11 in fp16, 2^8 in bf16), so no order of summation and no instruction may change a bit. The
reference is computed by NumPy in int64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int64]

TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LARGEST = {"fp32": 15, "bf16": 1, "fp16": 3}
"""Of the factors."""
MOST_TERMS = {"fp32": 4096, "bf16": 160, "fp16": 200}
SHAPES = ((64, 784, 512), (192, 160, 128), (127, 200, 65), (96, 1024, 33), (1, 64, 10))
"""Rows, terms, columns: a layer of docs_fcn, one of fast99, and sizes that fill no block."""
IMAGES = ((64, 1, 28, 10, 5), (16, 10, 12, 20, 5))
"""Images, channels, side, output channels, kernel: the convolutions of docs_cnn."""


def check_products(device: str, precision: str) -> list[dict[str, Any]]:
    """Compare products with their integer references; a row for each, with the first wrong element.

    Args:
        device: such as cpu or cuda.
        precision: fp32, bf16 or fp16.
    """
    random, rows = np.random.default_rng(0), []

    def compare(name: str, shape: tuple[int, ...], found: Tensor, expected: Integers) -> None:
        where = {"operation": name, "shape": list(shape), "device": device}
        rows.append({**where, "precision": precision, **difference(found, expected)})

    def whole(*shape: int) -> Integers:
        most = LARGEST[precision]
        return random.integers(-most, most + 1, shape, dtype=np.int64)

    def place(values: Integers) -> Tensor:
        return torch.from_numpy(values).to(device, TYPES[precision])

    for shape in SHAPES:
        rows_, terms, columns = shape[0], min(shape[1], MOST_TERMS[precision]), shape[2]
        _check_product((rows_, terms, columns), whole, place, compare, precision == "fp32")
    if precision == "fp32":
        for size in IMAGES:
            _check_convolution(size, whole, place, compare)
    return rows


def difference(found: Tensor, expected: Integers) -> dict[str, Any]:
    """How many elements differ, and the first of them."""
    # float64 holds every value of the smaller types; what is not finite equals no whole number.
    values = found.detach().cpu().double().numpy()
    wrong = np.argwhere(values != expected)
    row: dict[str, Any] = {"elements": int(expected.size), "wrong": len(wrong), "first": None}
    if len(wrong):
        place = tuple(wrong[0].tolist())
        row["first"] = {
            "index": list(place),
            "expected": int(expected[place]),
            "found": repr(float(values[place])),
        }
    return row


Compare = Callable[[str, tuple[int, ...], Tensor, Integers], None]


def _check_product(
    shape: tuple[int, int, int],
    whole: Callable[..., Integers],
    place: Callable[[Integers], Tensor],
    compare: Compare,
    with_gradients: bool,
) -> None:
    rows, terms, columns = shape
    left, right, bias = whole(rows, terms), whole(terms, columns), whole(columns)
    product = left @ right
    inputs, weight = place(left).requires_grad_(), place(right.T.copy()).requires_grad_()
    compare("matmul", shape, torch.matmul(place(left), place(right)), product)
    compare("addmm", shape, torch.addmm(place(bias), place(left), place(right)), product + bias)
    output = F.linear(inputs, weight, place(bias))
    compare("linear", shape, output, product + bias)
    if with_gradients:
        upper = whole(rows, columns)
        output.backward(place(upper))
        compare("gradient of linear's input", shape, _grad(inputs), upper @ right.T)
        compare("gradient of linear's weight", shape, _grad(weight), upper.T @ left)


def _check_convolution(
    shape: tuple[int, ...],
    whole: Callable[..., Integers],
    place: Callable[[Integers], Tensor],
    compare: Compare,
) -> None:
    count, channels, side, outputs, kernel = shape
    images, kernels = whole(count, channels, side, side), whole(outputs, channels, kernel, kernel)
    windows = sliding_window_view(images, (kernel, kernel), (2, 3))
    reach = side - kernel + 1
    # (N*H*W, channels*kernel*kernel): the convolution as one product of matrices.
    columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(count * reach * reach, -1)
    product = columns @ kernels.reshape(outputs, -1).T
    expected = product.reshape(count, reach, reach, outputs).transpose(0, 3, 1, 2)
    weight = place(kernels).requires_grad_()
    output = F.conv2d(place(images), weight)
    compare("conv2d", shape, output, expected)
    # Signs only, so that the long sums of the gradient stay below 2^24.
    upper = np.sign(whole(*expected.shape))
    output.backward(place(upper))
    flat = upper.transpose(0, 2, 3, 1).reshape(-1, outputs)
    gradient = (flat.T @ columns).reshape(kernels.shape)
    compare("gradient of conv2d's weight", shape, _grad(weight), gradient)


def _grad(tensor: Tensor) -> Tensor:
    return torch.zeros(()) if tensor.grad is None else tensor.grad
