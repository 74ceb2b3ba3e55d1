"""Pictures of a card that are made of images; its curves and maps are drawn by the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from mnist_trainer.data.corruptions.apply import CORRUPTIONS
from mnist_trainer.inference.card.attack_batch import AttackExample
from mnist_trainer.inference.card.contact_sheet import draw_sheet
from mnist_trainer.inference.card.subject import Subject

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
ENLARGED, GAP = 3, 4
PAPER = 255


def contact_sheet(subject: Subject) -> Pixels:
    """All corruptions at all strengths, a test image each: uint8, (H, W, 3)."""
    images = subject.spaced(len(CORRUPTIONS)).images
    return np.asarray(draw_sheet(images, seed=subject.seed).convert("RGB"))


def example_sheet(examples: Sequence[AttackExample]) -> Pixels | None:
    """The originals above the images that PGD made of them: uint8, (H, W); None without any."""
    if not examples:
        return None
    rows = [
        np.stack([(255 * image.numpy()).round().astype(np.uint8) for image in images])
        for images in zip(*((each.original, each.attacked) for each in examples), strict=True)
    ]
    return tile(np.stack(rows))


def tile(images: "Tensor | Pixels") -> Pixels:
    """Images (rows, columns, H, W), uint8, as one picture on white paper, enlarged."""
    pixels = np.asarray(images).repeat(ENLARGED, axis=2).repeat(ENLARGED, axis=3)
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, GAP), (0, GAP)), constant_values=PAPER)
    rows, columns, height, width = padded.shape
    return padded.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)[:-GAP, :-GAP]
