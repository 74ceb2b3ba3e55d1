"""Accuracy on shifted and rotated test images."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mnist_trainer.inference.card.subject import Begin, Subject, accuracy, num_correct

OFFSETS = tuple(range(-4, 5))
"""Pixels, to the right and down."""
ANGLES = (-45.0, -37.5, -30.0, -22.5, -15.0, -7.5, 0.0, 7.5, 15.0, 22.5, 30.0, 37.5, 45.0)
"""Degrees, counterclockwise."""
STEPS = len(OFFSETS) + len(ANGLES)


def score_shifts(subject: Subject, begin: Begin) -> dict[str, Any]:
    """Two maps of accuracy: over shifts right and down, and over rotation and shift right."""
    images = subject.spaced(subject.effort.shifted)
    num_images = len(images)

    def row(name: str, moves: list[tuple[float, int, int]]) -> list[float]:
        begin(name)
        changes = (partial(_move, *move) for move in moves)
        return [num_correct(subject.trained, images, change) / num_images for change in changes]

    shifts = [row(f"shift down {y}", [(0.0, x, y) for x in OFFSETS]) for y in OFFSETS]
    rotations = [row(f"rotation {angle:g}", [(angle, x, 0) for x in OFFSETS]) for angle in ANGLES]
    middle = OFFSETS.index(0)
    unmoved = accuracy(round(shifts[middle][middle] * num_images), num_images)
    cells = len(OFFSETS) ** 2
    return {
        "images": num_images,
        "offsets": list(OFFSETS),
        "angles": list(ANGLES),
        "unmoved": unmoved,
        "shift_map": shifts,
        "rotation_map": rotations,
        "mean_over_shifts": sum(map(sum, shifts)) / cells,
        "mean_over_rotations": sum(each[middle] for each in rotations) / len(ANGLES),
    }


def _move(angle: float, right: int, down: int, images: Tensor, _first: int) -> Tensor:
    return shift(rotate(images, angle), right, down)


def shift(images: Tensor, right: int, down: int) -> Tensor:
    """Images (N, 1, H, W) shifted by whole pixels; black comes in, what leaves is lost."""
    return functional.pad(images, (right, -right, down, -down))


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Images, uint8 (N, 1, H, W), turned counterclockwise about their centre, bilinear; an angle of
    0 leaves every pixel as it is."""
    if degrees == 0:
        return images
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    # The grid holds, for each pixel of the result, where it comes from; its y axis points down.
    matrix = torch.tensor([[cos, -sin, 0.0], [sin, cos, 0.0]], device=images.device)
    grid = functional.affine_grid(
        matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False
    )
    turned = functional.grid_sample(images.float(), grid, align_corners=False)
    return turned.round_().clamp_(0, 255).to(torch.uint8)
