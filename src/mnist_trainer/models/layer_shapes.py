"""Arithmetic of layers, as numbers and as text: output sizes, parameters, multiply-adds.

    Out = floor((In - Kernel + 2*Padding)/Stride) + 1

for height and width (Dumoulin and Visin 2016, relation 6).

Text is ASCII, so that every terminal can show it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

Shape = tuple[int, ...]

RULE = "Out = floor((In - Kernel + 2*Padding)/Stride) + 1"

_Pool = nn.MaxPool2d | nn.AvgPool2d
_Norm = nn.BatchNorm1d | nn.BatchNorm2d

COUNTED = (nn.Conv2d, nn.Linear)
"""Layers whose multiply-adds are counted."""


@dataclass(frozen=True)
class SlidingWindow:
    """A kernel or pooling window along one axis."""

    kernel: int
    stride: int
    padding: int
    """Zeros at both ends together, in pixels."""
    dilation: int = 1
    ceil: bool = False
    """Whether a last window that covers the end only in part counts too (``ceil_mode``)."""

    @property
    def span(self) -> int:
        """Pixels from the first to the last that the kernel covers."""
        return self.dilation * (self.kernel - 1) + 1

    def fits(self, size: int) -> bool:
        """Whether the window fits an axis of ``size`` pixels."""
        return size + self.padding >= self.span and self.output_size(size) >= 1

    def output_size(self, size: int) -> int:
        """Positions of the window on an axis of ``size`` pixels; below 1 where it does not fit."""
        return self._places(size) - self._leaves_out_last(size)

    def _places(self, size: int) -> int:
        room = size - self.span + self.padding
        return (-(-room // self.stride) if self.ceil else room // self.stride) + 1

    def _leaves_out_last(self, size: int) -> bool:
        """Whether ``ceil_mode`` drops the last window: it would begin beyond image and padding."""
        return self.ceil and (self._places(size) - 1) * self.stride >= size + self.padding // 2

    def last_left_out(self, size: int) -> str | None:
        """Why the last window is dropped, as arithmetic; None where it is not."""
        if not self._leaves_out_last(size):
            return None
        before, front = self._places(size) - 1, self.padding // 2
        bound = f"{size} + {front} = {size + front}" if front else str(size)
        return (
            f"- 1: the last window would begin at {before}*{self.stride} = {before * self.stride},"
            f" not before {bound}"
        )

    def written_out(self, size: int) -> str:
        """The arithmetic with its numbers, such as ``floor((28 - 5 + 2*0)/1) + 1 = 24``."""
        kernel = (
            str(self.kernel) if self.dilation == 1 else f"({self.dilation}*({self.kernel} - 1) + 1)"
        )
        padding = f"2*{self.padding // 2}" if self.padding % 2 == 0 else str(self.padding)
        rounding = "ceil" if self.ceil else "floor"
        less = " - 1" if self._leaves_out_last(size) else ""
        return (
            f"{rounding}(({size} - {kernel} + {padding})/{self.stride}) + 1{less} ="
            f" {self.output_size(size)}"
        )


def windows(layer: nn.Module) -> tuple[SlidingWindow, SlidingWindow] | None:
    """Windows along height and width; None for a layer that is no convolution or pooling."""
    if not isinstance(layer, nn.Conv2d | _Pool):
        return None
    kernels = pair(layer.kernel_size)
    dilations = (1, 1) if isinstance(layer, nn.AvgPool2d) else pair(layer.dilation)
    paddings: Sequence[int] = (0, 0)
    if layer.padding == "same":
        paddings = [d * (k - 1) for d, k in zip(dilations, kernels, strict=True)]
    elif not isinstance(layer.padding, str):
        paddings = [2 * padding for padding in pair(layer.padding)]
    ceil = not isinstance(layer, nn.Conv2d) and layer.ceil_mode
    height, width = (
        SlidingWindow(*each, ceil)
        for each in zip(kernels, pair(layer.stride), paddings, dilations, strict=True)
    )
    return height, width


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """Expand one number to both axes."""
    return (value, value) if isinstance(value, int) else tuple(value)


def sizes_written_out(layer: nn.Module, input_shape: Shape, output_shape: Shape) -> list[str]:
    """The arithmetic of the output shape, line by line; empty for an unknown kind of layer."""
    moving = windows(layer)
    if moving and len(input_shape) == 3:
        return _windows_written_out(input_shape[1:], moving)
    if isinstance(layer, nn.Flatten) and len(input_shape) > 1:
        return [f"{product(input_shape)} = {math.prod(input_shape):,}"]
    if isinstance(layer, nn.Linear):
        return [f"every output sees all {layer.in_features:,} inputs"]
    if isinstance(layer, nn.Dropout):
        return [f"in training each number is dropped with probability {layer.p:g}"]
    if isinstance(layer, _Norm):
        return ["each channel: mean 0, deviation 1"]
    elementwise = input_shape == output_shape and not list(layer.parameters())
    return ["each number alone"] if elementwise and not isinstance(layer, nn.Flatten) else []


def _windows_written_out(sizes: Shape, moving: tuple[SlidingWindow, SlidingWindow]) -> list[str]:
    axes = list(zip(("height: ", "width: "), sizes, moving, strict=True))
    if axes[0][1:] == axes[1][1:]:
        axes = [("", *axes[0][1:])]
    lines = []
    for axis, size, window in axes:
        lines.append(f"{axis}{window.written_out(size)}")
        lines += filter(None, [window.last_left_out(size)])
    return lines


def parameters_written_out(layer: nn.Module, *, whole: bool = False) -> str | None:
    """Number of parameters as arithmetic, such as ``10*(1*5*5) + 10 = 260``; None for none.

    Args:
        whole: include the parameters of layers within.
    """
    parameters = list(layer.parameters(recurse=whole))
    count = sum(parameter.numel() for parameter in parameters)
    if count == 0:
        return None
    if isinstance(layer, COUNTED) and not whole:
        biases = f" + {len(layer.weight)}" if layer.bias is not None else ""
        return f"{len(layer.weight)}*{_fan_in(layer)}{biases} = {count:,}"
    if isinstance(layer, _Norm):
        return f"{layer.num_features} scales + {layer.num_features} shifts = {count:,}"
    terms = [product(tuple(parameter.shape)) or "1" for parameter in parameters]
    return f"{' + '.join(terms)} = {count:,}" if terms != [str(count)] else str(count)


def leaves_uncounted(layer: nn.Module, *, whole: bool = False) -> bool:
    """Whether a layer may multiply with a matrix of its own that ``macs`` does not count."""
    known = isinstance(layer, (*COUNTED, _Norm, nn.LayerNorm, nn.Embedding))
    return not known and has_matrix(layer, whole=whole)


def has_matrix(layer: nn.Module, *, whole: bool = False) -> bool:
    """Whether a layer has a parameter of two dimensions or more."""
    return any(parameter.dim() > 1 for parameter in layer.parameters(recurse=whole))


def macs_written_out(layer: nn.Module, output_shape: Shape) -> str | None:
    """Multiply-adds for one image, such as ``10*24*24 * (1*5*5) = 144,000``, if counted."""
    if not isinstance(layer, COUNTED):
        return None
    return f"{product(output_shape)} * {_fan_in(layer)} = {macs(layer, output_shape):,}"


def _fan_in(layer: nn.Conv2d | nn.Linear) -> str:
    """Inputs of one output number, such as ``(1*5*5)``."""
    shape = layer.weight.shape[1:]
    return f"({product(shape)})" if len(shape) > 1 else str(shape[0])


def macs(layer: nn.Module, output_shape: Shape) -> int:
    """Multiply-adds of a layer for one image; 0 for layers where none are counted."""
    if isinstance(layer, COUNTED):
        return math.prod(output_shape) * layer.weight[0].numel()
    return 0


def shape_mismatch(layer: nn.Module, shape: Shape) -> str | None:
    """Why a layer cannot take an input of this shape, as arithmetic; None where no reason is found.

    Args:
        shape: of the input, without the batch.
    """
    if isinstance(layer, nn.Linear):
        return _linear_mismatch(layer, shape)
    if isinstance(layer, nn.Conv2d | _Pool | nn.BatchNorm2d) and len(shape) != 3:
        return f"it takes channels x height x width, and {times(shape)} comes."
    if isinstance(layer, nn.Conv2d) and shape[0] != layer.in_channels:
        return f"in_channels is {layer.in_channels}, and {shape[0]} come."
    if isinstance(layer, _Norm) and shape and shape[0] != layer.num_features:
        return f"num_features is {layer.num_features}, and {shape[0]} channels come."
    return _window_mismatch(windows(layer), shape)


def _window_mismatch(
    moving: tuple[SlidingWindow, SlidingWindow] | None, shape: Shape
) -> str | None:
    for window, size in zip(moving or (), shape[-2:], strict=False):
        if min(window.kernel, window.stride, window.dilation, window.padding + 1) < 1:
            # PyTorch's own message is better than arithmetic that has no meaning.
            return None
        if not window.fits(size):
            return f"Out = {window.written_out(size)}: the image is smaller than the window."
    return None


def _linear_mismatch(layer: nn.Linear, shape: Shape) -> str | None:
    if not shape or shape[-1] == layer.in_features:
        return None
    count = math.prod(shape)
    if len(shape) == 1:
        return f"in_features is {layer.in_features:,}, and {count:,} numbers come."
    flatten = " A Flatten is missing before it." if count == layer.in_features else ""
    return (
        f"in_features is {layer.in_features:,}, and {product(shape)} = {count:,} numbers"
        f" come.{flatten}"
    )


def product(shape: Shape) -> str:
    """A shape as a product, such as 10*24*24."""
    return "*".join(map(str, shape))


def times(shape: Shape) -> str:
    """A shape as text, such as 10 x 24 x 24."""
    return " x ".join(map(str, shape)) or "one number"
