"""Train the network that segments the digit of a photograph:
``python -m benchmarks.photographs.train_segmentation``.

Its pictures are generated: handwritten digits of MNIST's training images without those that
``experiment=photos`` holds out, digits written with a round pen, and printed ones of the fonts that
matplotlib brings; of each the whole picture and a window around the digit. It takes some 40
minutes on two cores, and writes the weights that are shipped.
"""

import argparse
import io
import time
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from benchmarks.photographs.glyphs import Glyph, Plane, handwritten
from benchmarks.photographs.kinds import PHOTOGRAPHS, photograph
from benchmarks.photographs.training_photographs import any_glyph
from benchmarks.product import compose_config
from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import stratified_holdout
from mnist_trainer.inference.digit_images.boxes import Box
from mnist_trainer.inference.digit_images.normalize import resample
from mnist_trainer.inference.digit_images.prepare import WORKING_SIDE
from mnist_trainer.inference.digit_images.read_image import RGB, read_image
from mnist_trainer.inference.digit_images.segmentation_network import (
    LEVEL,
    SIDE,
    WEIGHTS,
    u_net,
    window_of,
)

PICTURES = 20_000
EPOCHS = 5
BATCH = 32
LEARNING_RATE = 0.01
CHANNELS = (8, 16, 24, 32, 48, 64)
"""Of each level; the pictures of each have half the side of the level before."""
SEED = 77
SIDES = (40, 280)
"""Shorter side of a generated picture, in pixels: larger ones cost time, and are seen reduced."""
WRITTEN = 0.25
"""Share of the handwritten digits that are drawn with a pen, and not MNIST's."""


class Examples:
    """Windows of photographs, and how much of each pixel the digit covers."""

    def __init__(self, examples: list[tuple[NDArray[np.uint8], NDArray[np.uint8], list[int]]]):
        """Each: levels (3, SIDE, SIDE), coverage (SIDE, SIDE) of 255, and the height and width
        without padding."""
        levels, coverage, shapes = zip(*examples, strict=True)
        self.levels = torch.from_numpy(np.stack(levels))
        self.coverage = torch.from_numpy(np.stack(coverage))
        self.shapes = torch.tensor(shapes)

    def __len__(self) -> int:
        return len(self.levels)


@cache
def training_digits() -> LabelledImages:
    """MNIST's training images without those that are held out for calibration."""
    config = compose_config("experiment=photos").data
    digits = load_dataset(config).train
    kept = stratified_holdout(digits.labels, config.validation_size, config.split_seed)[0]
    return digits.select(kept[kept < NUM_TRAINING_IMAGES["mnist"]])


def glyph(rng: np.random.Generator, share_printed: float) -> Glyph:
    """A digit, printed or written."""
    if rng.random() < share_printed + (1 - share_printed) * WRITTEN:
        return any_glyph(rng, share_printed / (share_printed + (1 - share_printed) * WRITTEN))
    digits = training_digits()
    index = int(rng.integers(len(digits)))
    return handwritten(digits.images[index, 0].numpy(), int(digits.labels[index]))


def examples_of(index: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8], list[int]]]:
    """All of a photograph, and a window of it: a function of its number alone."""
    rng = np.random.default_rng([SEED, index])
    kind = PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))]
    others = [glyph(rng, 0.0) for _ in range(3)]
    picture = photograph(glyph(rng, kind.printed), kind, others, rng, SIDES)
    pixels = read_image(io.BytesIO(picture.content), WORKING_SIDE).pixels
    assert picture.coverage is not None
    boxes = [Box(0, 0, *pixels.shape[:2]), window_around(picture.box, pixels.shape, rng)]
    return [
        example(pixels, picture.coverage, box) for box in boxes if min(box.height, box.width) > 7
    ]


def window_around(digit: Box, shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A window as a closer look has it, three times of four; else a tight one, which may cut the
    digit."""
    close = rng.random() < 0.25
    room, off = (rng.uniform(-0.04, 0.3), 0.06) if close else (rng.uniform(0.3, 0.7), 0.15)
    half = digit.side * (0.5 + room)
    row = (digit.top + digit.bottom) / 2 + digit.side * rng.uniform(-off, off)
    column = (digit.left + digit.right) / 2 + digit.side * rng.uniform(-off, off)
    return Box(
        int(max(0, row - half)),
        int(max(0, column - half)),
        int(min(shape[0], row + half)),
        int(min(shape[1], column + half)),
    )


def example(
    pixels: RGB, coverage: Plane, box: Box
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[int]]:
    """A window, padded to a square."""
    levels = window_of(pixels, box).levels
    part = coverage[box.top : box.bottom, box.left : box.right]
    _, height, width = levels.shape
    squares = np.zeros((4, SIDE, SIDE), np.uint8)
    squares[:3, :height, :width] = np.round(levels)
    squares[3, :height, :width] = np.round(255 * np.clip(resample(part, height, width), 0, 1))
    return squares[:3], squares[3], [height, width]


class SegmentationModel(nn.Module):
    """The network with the batch normalization that training needs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Block(3, CHANNELS[0])
        for level, (fine, coarse) in enumerate(pairwise(CHANNELS)):
            self.add_module(f"down{level + 1}", Block(fine, coarse, stride=2))
            self.add_module(f"deep{level + 1}", Block(coarse, coarse))
            self.add_module(f"side{level}", nn.Conv2d(coarse, fine, 1))
            self.add_module(f"up{level}", Block(fine, fine))
        self.last = nn.Conv2d(CHANNELS[0], 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of the coverage, (N, 1, SIDE, SIDE)."""
        return u_net(dict(self.named_children()), images)


class Block(nn.Module):
    """A convolution of 3x3, normalized, and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        return relu(self.norm(self.convolution(images)))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the convolution with the normalization in it."""
        assert self.norm.running_mean is not None
        assert self.norm.running_var is not None
        factor = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        weight = self.convolution.weight * factor[:, None, None, None]
        return weight, self.norm.bias - self.norm.running_mean * factor


def augmented(levels: Tensor) -> Tensor:
    """Pictures (N, 3, SIDE, SIDE) of other cameras: some grey, some light on dark, brighter or
    darker, with the channels in another order."""
    count = len(levels)

    def some(share: float) -> Tensor:
        return torch.rand(count, 1, 1, 1) < share

    light = levels / 255
    light = torch.where(some(0.15), light.mean(1, keepdim=True), light)
    if torch.rand(()) < 0.3:
        light = light[:, torch.randperm(3)]
    gamma = torch.exp(torch.empty(count, 1, 1, 1).uniform_(-0.35, 0.35))
    light = light.clamp(1e-3, 1) ** gamma
    return 255 * torch.where(some(0.08), 1 - light, light)


def standardized(levels: Tensor, shapes: Tensor) -> Tensor:
    """As ``Window.standardized`` has it."""
    rows, columns = torch.arange(SIDE)[:, None], torch.arange(SIDE)
    height, width = shapes[:, 0, None, None], shapes[:, 1, None, None]
    inside = ((rows < height) & (columns < width)).float()[:, None]
    count = inside.sum((2, 3), keepdim=True)
    centred = (levels - (levels * inside).sum((2, 3), keepdim=True) / count) * inside
    variance = centred.square().sum((1, 2, 3), keepdim=True) / (3 * count)
    return centred / (variance.sqrt() + LEVEL)


def loss_of(logits: Tensor, coverage: Tensor) -> Tensor:
    """Cross-entropy of every pixel, and one minus the Dice coefficient of each picture (Milletari
    et al. 2016): small digits count as much as large ones."""
    shares = logits.sigmoid()
    common = 2 * (shares * coverage).sum((1, 2, 3)) + 1
    both = (shares.square() + coverage.square()).sum((1, 2, 3)) + 1
    return 2 * binary_cross_entropy_with_logits(logits, coverage) + (1 - common / both).mean()


def train(model: SegmentationModel, examples: Examples, epochs: int) -> Iterator[float]:
    """Train, and yield the mean loss of each epoch."""
    steps = len(examples) // BATCH
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=epochs * steps, pct_start=0.1
    )
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(examples))[: steps * BATCH].split(BATCH):
            images = standardized(augmented(examples.levels[batch].float()), examples.shapes[batch])
            coverage = examples.coverage[batch, None].float() / 255
            if torch.rand(()) < 0.5:
                images, coverage = images.flip(3), coverage.flip(3)
            if torch.rand(()) < 0.3:
                images, coverage = images.transpose(2, 3), coverage.transpose(2, 3)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(images.contiguous(memory_format=torch.channels_last))
            loss = loss_of(logits.float(), coverage)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        yield total / steps


def quantized(model: SegmentationModel) -> dict[str, NDArray[np.generic]]:
    """The convolutions with their batch normalization folded in: weights of 8 bits, and a factor
    and a bias for each output channel."""
    parts: dict[str, NDArray[np.generic]] = {}
    for name, layer in model.named_children():
        if isinstance(layer, Block):
            weight, bias = layer.folded()
        else:
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            weight, bias = layer.weight, layer.bias
        scale = weight.abs().amax((1, 2, 3)).clamp(min=1e-12) / 127
        whole = torch.round(weight / scale[:, None, None, None]).to(torch.int8)
        for part, tensor in (("weight", whole), ("scale", scale), ("bias", bias)):
            parts[f"{name}.{part}"] = tensor.detach().numpy()
    return parts


def main() -> None:
    """Draw the pictures, train, and write the weights."""
    parser = argparse.ArgumentParser(description="Train the network that segments photographs.")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--to", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    training_digits()
    with get_context("fork").Pool() as pool:
        drawn = pool.imap(examples_of, range(arguments.pictures), chunksize=64)
        examples = Examples([each for some in drawn for each in some])
    print(f"{len(examples)} windows", flush=True)
    torch.manual_seed(0)
    model = SegmentationModel().to(memory_format=torch.channels_last)
    started = time.monotonic()
    for epoch, loss in enumerate(train(model, examples, arguments.epochs), start=1):
        print(f"epoch {epoch}: loss {loss:.4f}, {time.monotonic() - started:.0f} s", flush=True)
    np.savez_compressed(arguments.to, **quantized(model))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
