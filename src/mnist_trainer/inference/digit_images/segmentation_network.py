"""Segment the digit of a photograph with a small convolutional network.

A U-Net (Ronneberger et al. 2015), trained on generated photographs
(``benchmarks.photographs.train_segmentation``), says how much of each pixel the digit covers. It
sees the picture twice: all of it, and then a window around what it found. Which digit it is, is for
the run's own network to say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from mnist_trainer.inference.digit_images.boxes import Box, DetectedDigit
from mnist_trainer.inference.digit_images.candidates import MIN_PART, keep_components
from mnist_trainer.inference.digit_images.components import label_components
from mnist_trainer.inference.digit_images.normalize import VISIBLE, Ink, normalize_digit, resample
from mnist_trainer.inference.digit_images.read_image import RGB, downsample
from mnist_trainer.inference.digit_images.remove_background import INK_THRESHOLD

WEIGHTS = Path(__file__).with_name("segmentation_network.npz")
SIDE = 128
"""Longer side of a picture as the network sees it, in pixels."""
LEAST_COVERAGE = 0.5
"""Where no pixel is covered by more, there is no digit."""
MARGIN = 0.5
"""Room around a digit in the second window, on each side, as a share of its longer side."""
LARGE = 0.8
"""A window of at least this share of the picture's longer side is not looked at again."""
SCORE = 27.0
"""Beside the scores of other segmentations. Chosen on held-out digits."""
BATCH = 8
"""Windows that are computed at once: some 50 MB."""
LEVEL = 4.0
"""Added to the standard deviation of a picture, in levels of 256: one without contrast is not
amplified."""


Layers = Mapping[str, Callable[[Tensor], Tensor]]
"""By name: ``first``, ``down1``, ``deep1``, ``side0``, ``up0`` and so on, ``last``."""


def u_net(layer: Layers, images: Tensor) -> Tensor:
    """Logits of the coverage, (N, 1, SIDE, SIDE), of images (N, 3, SIDE, SIDE); each level has half
    the resolution of the one before."""
    levels = sum(name.startswith("side") for name in layer)
    skipped = [layer["first"](images)]
    for level in range(1, levels + 1):
        skipped.append(layer[f"deep{level}"](layer[f"down{level}"](skipped[-1])))
    result = skipped.pop()
    for level in reversed(range(levels)):
        doubled = interpolate(layer[f"side{level}"](result), scale_factor=2.0)
        result = layer[f"up{level}"](skipped.pop() + doubled)
    return layer["last"](result)


@dataclass(frozen=True)
class Convolution:
    """A convolution with the batch normalization that followed it in training, and ReLU."""

    weight: Tensor
    """(O, I, K, K)."""
    bias: Tensor
    """(O,)."""
    stride: int
    relu: bool

    def __call__(self, images: Tensor) -> Tensor:
        padding = self.weight.shape[-1] // 2
        result = conv2d(images, self.weight, self.bias, self.stride, padding)
        return result.relu_() if self.relu else result


@cache
def shipped_layers() -> dict[str, Convolution]:
    """The layers that are shipped."""
    return {name: convolution(name, *parts) for name, parts in stored_layers().items()}


def stored_layers() -> dict[str, tuple[Any, Any, Any]]:
    """Of each layer: weight (O, I, K, K) of 8 bits, and for each output channel its factor and the
    bias, (O,)."""
    with np.load(WEIGHTS) as file:
        names = sorted({name.partition(".")[0] for name in file})
        return {
            name: (file[f"{name}.weight"], file[f"{name}.scale"], file[f"{name}.bias"])
            for name in names
        }


def convolution(
    name: str, weight: NDArray[np.int8], scale: NDArray[np.float32], bias: NDArray[np.float32]
) -> Convolution:
    """A layer as it computes."""
    factors = torch.from_numpy(scale)[:, None, None, None]
    values = (torch.from_numpy(weight).float() * factors).contiguous(
        memory_format=torch.channels_last
    )
    linear = name == "last" or name.startswith("side")
    stride = 2 if name.startswith("down") else 1
    return Convolution(values, torch.from_numpy(bias), stride, relu=not linear)


@dataclass(frozen=True)
class Window:
    """A part of a photograph as the network sees it."""

    box: Box
    """In pixels of the photograph."""
    levels: NDArray[np.float64]
    """(3, H, W), 0 to 255; the longer side is ``SIDE``."""

    @property
    def scale(self) -> float:
        """Pixels of the network for one of the photograph."""
        return SIDE / self.box.side

    def standardized(self) -> NDArray[np.float32]:
        """(3, SIDE, SIDE): each channel of mean 0, all together of about unit variance; 0 below and
        right of a window that is not square."""
        _, height, width = self.levels.shape
        centred = self.levels - self.levels.mean(axis=(1, 2), keepdims=True)
        square = np.zeros((3, SIDE, SIDE), np.float32)
        square[:, :height, :width] = centred / (centred.std() + LEVEL)
        return square


def window_of(pixels: RGB, box: Box) -> Window:
    """Cut a part out of a photograph."""
    part = Image.fromarray(pixels[box.top : box.bottom, box.left : box.right])
    reduced = np.asarray(downsample(part, 2 * SIDE), np.float64)
    height, width = (max(1, int(side * SIDE / box.side + 0.5)) for side in (box.height, box.width))
    return Window(box, np.stack([resample(reduced[..., c], height, width) for c in range(3)]))


def segment_photographs(photographs: Sequence[RGB]) -> list[DetectedDigit | None]:
    """The digit of each photograph; None where the network finds none."""
    whole = [window_of(each, Box(0, 0, *each.shape[:2])) for each in photographs]
    inks = digits_in(whole)
    again = {
        index: window_of(photographs[index], box)
        for index, (window, ink) in enumerate(zip(whole, inks, strict=True))
        if ink is not None and (box := around(window, ink)) is not None
    }
    second = dict(zip(again, digits_in(list(again.values())), strict=True))
    found: list[DetectedDigit | None] = []
    for index, (window, ink) in enumerate(zip(whole, inks, strict=True)):
        closer = second.get(index)
        if closer is not None:
            found.append(detected(again[index], closer))
        else:
            found.append(None if ink is None else detected(window, ink))
    return found


def digits_in(windows: Sequence[Window]) -> list[Ink | None]:
    """The coverage of the digit in each window, (SIDE, SIDE), without specks."""
    inks: list[Ink | None] = []
    for start in range(0, len(windows), BATCH):
        batch = windows[start : start + BATCH]
        images = torch.from_numpy(np.stack([window.standardized() for window in batch]))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            logits = u_net(shipped_layers(), images)[:, 0]
        coverage = logits.sigmoid().double().numpy()
        inks += [largest_parts(each, window) for each, window in zip(coverage, batch, strict=True)]
    return inks


def largest_parts(coverage: Ink, window: Window) -> Ink | None:
    """The coverage of the largest component and of those that are no specks beside it."""
    _, height, width = window.levels.shape
    inside = coverage[:height, :width]
    if inside.max() < LEAST_COVERAGE:
        return None
    labels, components = label_components(inside >= INK_THRESHOLD)
    group = [each for each in components if each.area >= MIN_PART * components[0].area]
    return keep_components(inside, labels, group)


def box_in(window: Window, ink: Ink) -> Box:
    """The box around ink, in pixels of the photograph."""
    rows, columns = np.nonzero(ink >= VISIBLE)
    low = [int(places.min() / window.scale) for places in (rows, columns)]
    high = [int(np.ceil((places.max() + 1) / window.scale)) for places in (rows, columns)]
    top, left = window.box.top, window.box.left
    return Box(
        top + low[0],
        left + low[1],
        min(top + high[0], window.box.bottom),
        min(left + high[1], window.box.right),
    )


def around(window: Window, ink: Ink) -> Box | None:
    """The window for a closer look at the digit; None where it would show little more."""
    digit = box_in(window, ink)
    side = int(digit.side * (1 + 2 * MARGIN))
    if side >= LARGE * window.box.side:
        return None
    top = (digit.top + digit.bottom - side) // 2
    left = (digit.left + digit.right - side) // 2
    return Box(
        max(0, top),
        max(0, left),
        min(window.box.bottom, top + side),
        min(window.box.right, left + side),
    )


def detected(window: Window, ink: Ink) -> DetectedDigit:
    """The digit of a window, as MNIST places digits."""
    return DetectedDigit(normalize_digit(ink), box_in(window, ink), score=SCORE)
