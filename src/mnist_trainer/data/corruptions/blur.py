"""Blur by frosted glass and by motion."""

import functools
import math

import torch
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import gaussian_filter, pad


def glass_blur(images: Tensor, setting: tuple[float, int, int], rng: CounterRNG) -> Tensor:
    """Blur, swap pixels at random with near ones, blur again.

    Args:
        setting: sigma of the blur; largest distance of a swap; how often all pixels are gone over.
    """
    sigma, reach, passes = setting
    pixels = (gaussian_filter(images, sigma) * 255).to(torch.uint8)
    for _ in range(passes):
        pixels = swap_neighbours(pixels, reach, rng)
    return gaussian_filter(pixels * (1 / 255), sigma)


def swap_neighbours(pixels: Tensor, reach: int, rng: CounterRNG) -> Tensor:
    """Go over (N, H, W) from the last pixel to the first, and swap every second one, at random,
    with one at most ``reach`` rows and columns away (``reach - 1`` down and to the right).

    Swaps that touch different pixels are done at once, in all images: the result is that of the
    order.
    """
    count, height, width = pixels.shape
    fronts = _fronts(height, width, reach)
    bits = rng.bits(sum(map(len, fronts))).T  # (pixels, N)
    down = ((bits >> 16) * (2 * reach) >> 16) - reach
    right = ((bits & 0x7FFF) * (2 * reach) >> 15) - reach
    swapped = (bits >> 15) & 1
    steps = (down * width + right) * swapped
    flat = pixels.flatten(1).T.contiguous()  # (H W, N): a pixel of all images in one row
    start = 0
    for front in fronts:
        here = torch.tensor(front, device=pixels.device)
        there = here[:, None] + steps[start : start + len(front)]
        start += len(front)
        ours, theirs = flat.index_select(0, here), flat.gather(0, there)
        flat.scatter_(0, there, ours)
        flat.index_copy_(0, here, theirs)
    return flat.T.reshape(count, height, width)


@functools.cache
def _fronts(height: int, width: int, reach: int) -> list[list[int]]:
    """Pixels, as indices of the flattened image, in groups whose swaps do not meet.

    Two swaps may meet if rows and columns of the pixels differ by less than 2 reach. A front has
    one pixel of a row, and 2 reach columns lie between it and that of the next row; a pixel that
    meets an earlier one is always in a later front.
    """
    fronts: dict[int, list[int]] = {}
    for row in range(height - reach, reach, -1):
        for column in range(width - reach, reach, -1):
            front = 2 * reach * (height - row) + width - column
            fronts.setdefault(front, []).append(row * width + column)
    return [fronts[front] for front in sorted(fronts)]


def motion_blur(images: Tensor, setting: tuple[int, float], rng: CounterRNG) -> Tensor:
    """Smear each image to one side, at a random angle of -45 to 45 degrees to the rows.

    The weights are half a Gaussian along the line; its points are rounded to pixels, as in
    ImageMagick's motion blur. Angles are whole degrees, so that images of one angle are blurred
    together.

    Args:
        setting: radius, in pixels: 2 radius + 1 points are taken; sigma of the Gaussian.
    """
    radius, sigma = setting
    points = 2 * radius + 1
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(points)]
    weights = [weight / sum(weights) for weight in weights]
    padded = pad(images, 0, points, points, points, "replicate")
    height, width = images.shape[1:]
    angles = rng.integers(91) - 45
    blurred = torch.zeros_like(images)
    for angle in angles.unique().tolist():
        chosen = (angles == angle).nonzero()[:, 0]
        source = padded[chosen]
        total = torch.zeros_like(images[chosen])
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        for k, weight in enumerate(weights):
            right, down = math.ceil(k * cos - 0.5), points + math.ceil(k * sin - 0.5)
            total += source[:, down : down + height, right : right + width] * weight
        blurred[chosen] = total
    return blurred
