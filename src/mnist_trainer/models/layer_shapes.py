"""The arithmetic of layers, as numbers and written out: output sizes, parameters, multiply-adds.

    Out = floor((In - Kernel + 2*Padding)/Stride) + 1        for height and width (Dumoulin and
    Visin 2016, relation 6)

Text is ASCII, so that every terminal can show it.
"""

import math
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
    """How a kernel or pooling window moves along one axis."""

    kernel: int
    stride: int
    padding: int
    """Zeros at both ends together, in pixels."""
    dilation: int = 1
    ceil: bool = False
    """Whether a last place that is not whole counts too."""

    @property
    def span(self) -> int:
        """Pixels from the first to the last that the kernel touches."""
        return self.dilation * (self.kernel - 1) + 1

    def fits(self, size: int) -> bool:
        """Whether an axis of ``size`` pixels has a place for the window."""
        return size + self.padding >= self.span and self.output_size(size) >= 1

    def output_size(self, size: int) -> int:
        """Places for the window on an axis of ``size`` pixels; less than 1 where it does not fit."""
        return self._places(size) - self._leaves_out_last(size)

    def _places(self, size: int) -> int:
        room = size - self.span + self.padding
        return (-(-room // self.stride) if self.ceil else room // self.stride) + 1

    def _leaves_out_last(self, size: int) -> bool:
        """Whether the last window would begin beyond the image and its padding in front (PyTorch,
        pooling with ceil_mode)."""
        return self.ceil and (self._places(size) - 1) * self.stride >= size + self.padding // 2

    def last_left_out(self, size: int) -> str | None:
        """Why the last window does not count, with its numbers; None where it counts."""
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
    """How a layer's window moves down and along; None for a layer that has none."""
    if isinstance(layer, nn.Conv2d):
        dilations, kernels = layer.dilation, layer.kernel_size
        paddings = (
            tuple(2 * padding for padding in layer.padding)
            if not isinstance(layer.padding, str)
            else (0, 0)
        )
        if layer.padding == "same":
            paddings = tuple(d * (k - 1) for d, k in zip(dilations, kernels, strict=True))
        down, along = (
            SlidingWindow(*each)
            for each in zip(kernels, layer.stride, paddings, dilations, strict=True)
        )
        return down, along
    if isinstance(layer, _Pool):
        kernels, strides, paddings = (
            pair(layer.kernel_size),
            pair(layer.stride),
            pair(layer.padding),
        )
        dilations = pair(layer.dilation) if isinstance(layer, nn.MaxPool2d) else (1, 1)
        down, along = (
            SlidingWindow(kernel, stride, 2 * padding, dilation, layer.ceil_mode)
            for kernel, stride, padding, dilation in zip(
                kernels, strides, paddings, dilations, strict=True
            )
        )
        return down, along
    return None


def pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    """One number for both axes, or a number each."""
    return (value, value) if isinstance(value, int) else tuple(value)


def sizes_written_out(layer: nn.Module, input_shape: Shape, output_shape: Shape) -> list[str]:
    """How the output comes to have its shape, a line each; empty for a layer that this page of
    arithmetic does not know."""
    moving = windows(layer)
    if moving and len(input_shape) == 3:
        (height, width), (down, along) = input_shape[1:], moving
        axes = (
            {"": (height, down)}
            if (height, down) == (width, along)
            else {"height: ": (height, down), "width: ": (width, along)}
        )
        lines = [
            (f"{axis}{window.written_out(size)}", window.last_left_out(size))
            for axis, (size, window) in axes.items()
        ]
        return [line for pair in lines for line in pair if line is not None]
    if isinstance(layer, nn.Flatten):
        return (
            [f"{product(input_shape)} = {math.prod(input_shape):,}"] if len(input_shape) > 1 else []
        )
    if isinstance(layer, nn.Linear):
        return [f"every output sees all {layer.in_features:,} inputs"]
    if isinstance(layer, nn.Dropout):
        return [f"in training each number is dropped with probability {layer.p:g}"]
    if isinstance(layer, _Norm):
        return ["each channel: mean 0, deviation 1"]
    return (
        ["each number alone"]
        if input_shape == output_shape and not list(layer.parameters())
        else []
    )


def parameters_written_out(layer: nn.Module, *, whole: bool = False) -> str | None:
    """How many numbers a layer learns, such as ``10*(1*5*5) + 10 = 260``; None where it learns
    none.

    Args:
        whole: those of the layers within it are among them.
    """
    parameters = list(layer.parameters(recurse=whole))
    count = sum(parameter.numel() for parameter in parameters)
    if count == 0:
        return None
    if isinstance(layer, COUNTED) and not whole:
        biases = f" + {len(layer.weight)}" if layer.bias is not None else ""
        sees = layer.weight.shape[1:]
        each = f"({product(sees)})" if len(sees) > 1 else str(sees[0])
        return f"{len(layer.weight)}*{each}{biases} = {count:,}"
    if isinstance(layer, _Norm):
        return f"{layer.num_features} scales + {layer.num_features} shifts = {count:,}"
    terms = [product(tuple(parameter.shape)) or "1" for parameter in parameters]
    return f"{' + '.join(terms)} = {count:,}" if terms != [str(count)] else str(count)


def leaves_uncounted(layer: nn.Module, *, whole: bool = False) -> bool:
    """Whether a layer may make multiply-adds with a matrix of its own that are not counted here."""
    if isinstance(layer, COUNTED):
        return False
    known_to_make_none = isinstance(layer, _Norm | nn.LayerNorm | nn.Embedding)
    return not known_to_make_none and has_matrix(layer, whole=whole)


def has_matrix(layer: nn.Module, *, whole: bool = False) -> bool:
    """Whether a layer learns a matrix, as one needs that multiplies and adds."""
    return any(parameter.dim() > 1 for parameter in layer.parameters(recurse=whole))


def macs_written_out(layer: nn.Module, output_shape: Shape) -> str | None:
    """The work for one image, such as ``10*24*24 * (1*5*5) = 144,000``; None where there is none to
    speak of."""
    total = macs(layer, output_shape)
    if not total or not isinstance(layer, COUNTED):
        return None
    sees = layer.weight.shape[1:]
    each = f"({product(sees)})" if len(sees) > 1 else str(sees[0])
    return f"{product(output_shape)} * {each} = {total:,}"


def macs(layer: nn.Module, output_shape: Shape) -> int:
    """Multiplications with a following addition that a layer makes for one image; of other layers
    than these none are counted."""
    if isinstance(layer, COUNTED):
        return math.prod(output_shape) * layer.weight[0].numel()
    return 0


def shape_mismatch(layer: nn.Module, shape: Shape) -> str | None:
    """Why a layer cannot take what arrives, as arithmetic; None where this page of arithmetic sees
    no reason."""
    if isinstance(layer, nn.Linear):
        if not shape or shape[-1] == layer.in_features:
            return None
        arriving = f"{product(shape)} = {math.prod(shape):,}" if len(shape) > 1 else f"{shape[0]:,}"
        flatten = (
            " A Flatten is missing before it."
            if len(shape) > 1 and math.prod(shape) == layer.in_features
            else ""
        )
        return f"in_features is {layer.in_features:,}, and {arriving} numbers come.{flatten}"
    if isinstance(layer, nn.Conv2d | _Pool | nn.BatchNorm2d) and len(shape) != 3:
        return f"it takes channels x height x width, and {times(shape)} comes."
    if isinstance(layer, nn.Conv2d) and shape[0] != layer.in_channels:
        return f"in_channels is {layer.in_channels}, and {shape[0]} come."
    if isinstance(layer, _Norm) and shape and shape[0] != layer.num_features:
        return f"num_features is {layer.num_features}, and {shape[0]} channels come."
    for window, size in zip(windows(layer) or (), shape[-2:], strict=False):
        if min(window.kernel, window.stride, window.dilation) < 1 or window.padding < 0:
            # What PyTorch says of it is better than arithmetic that has no meaning.
            return None
        if not window.fits(size):
            return f"Out = {window.written_out(size)}: the image is smaller than the window."
    return None


def product(shape: Shape) -> str:
    """A shape as a product, such as 10*24*24."""
    return "*".join(map(str, shape))


def times(shape: Shape) -> str:
    """A shape for people, such as 10 x 24 x 24."""
    return " x ".join(map(str, shape)) or "one number"
