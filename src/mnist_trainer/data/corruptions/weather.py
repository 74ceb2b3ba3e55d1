"""Fog and mud."""

import torch
from torch import Tensor

from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.corruptions.filters import gaussian_filter

MAP_SIZE = 256
"""Side of the fractal whose first rows and columns are the fog, as published."""
WHOLE_SPACING = 8
"""Down to this distance between points the whole map is computed, for its extremes; finer only
where the image lies: what is left out moves the extremes by a few percent."""


def fog(images: Tensor, setting: tuple[float, float], rng: CounterRNG) -> Tensor:
    """Add a plasma fractal and scale back to the image's brightest pixel.

    Args:
        setting: the amount of fog; how much rougher it is at each coarser scale (decay).
    """
    amount, decay = setting
    brightest = images.amax(dim=(1, 2), keepdim=True)
    haze = plasma_fractal(images, decay, rng)
    return (images + amount * haze) * (brightest / (brightest + amount))


def plasma_fractal(images: Tensor, decay: float, rng: CounterRNG) -> Tensor:
    """The upper left corner, of the images' size, of a random fractal in 0..1: (N, H, W).

    Diamond-square algorithm (Fournier et al. 1982) on a torus: between the points of a square
    lattice come the centres of its squares, then the middles of its edges, each the mean of its
    four neighbours and a random number, whose range falls from one spacing to the next.
    """
    lattice = images.new_zeros(len(images), 1, 1)
    spacing, amplitude = MAP_SIZE, 1.0
    while spacing > WHOLE_SPACING:
        lattice = _refine(lattice, amplitude, rng)
        spacing, amplitude = spacing // 2, amplitude / decay**2
    lowest, highest = lattice.amin(dim=(1, 2)), lattice.amax(dim=(1, 2))
    # One point before the corner, so that its first points have all neighbours.
    lattice = lattice.roll((1, 1), dims=(1, 2))
    while spacing > 1:
        needed = 3 + -(-max(images.shape[1:]) // spacing)
        # The points at the border took their neighbours from the opposite side.
        lattice = _refine(lattice[:, :needed, :needed], amplitude, rng)[:, 1:-2, 1:-2]
        spacing, amplitude = spacing // 2, amplitude / decay**2
    lattice = lattice[:, 1 : 1 + images.shape[1], 1 : 1 + images.shape[2]]
    lowest = torch.minimum(lowest, lattice.amin(dim=(1, 2)))[:, None, None]
    highest = torch.maximum(highest, lattice.amax(dim=(1, 2)))[:, None, None]
    return (lattice - lowest) / (highest - lowest)


def _refine(lattice: Tensor, amplitude: float, rng: CounterRNG) -> Tensor:
    """Halve the spacing of a lattice on a torus: (N, S, S) to (N, 2 S, 2 S)."""
    rows = lattice + lattice.roll(-1, dims=2)
    columns = lattice + lattice.roll(-1, dims=1)
    squares = (rows + rows.roll(-1, dims=1)) * 0.25 + _noise(lattice, amplitude, rng)
    across = (rows + squares + squares.roll(1, dims=1)) * 0.25 + _noise(lattice, amplitude, rng)
    down = (columns + squares + squares.roll(1, dims=2)) * 0.25 + _noise(lattice, amplitude, rng)
    fine = torch.stack(
        [torch.stack([lattice, across], dim=3), torch.stack([down, squares], dim=3)], dim=2
    )  # (N, S, 2, S, 2)
    return fine.reshape(len(lattice), 2 * lattice.shape[1], 2 * lattice.shape[2])


def _noise(like: Tensor, amplitude: float, rng: CounterRNG) -> Tensor:
    """Uniform numbers in [-amplitude, amplitude), in the shape of a tensor."""
    return (rng.uniform(like[0].numel()).reshape(like.shape) - 0.5) * (2 * amplitude)


def spatter(images: Tensor, level: float, rng: CounterRNG) -> Tensor:
    """Splash dark mud: smooth noise above a level, without its thin parts, covers the image in
    a quarter of full ink.

    The noise has mean 0.65 and standard deviation 0.3 and is smoothed with sigma 1; what is above
    the level is smoothed with sigma 1.5 and shown where it is at least 0.8.
    """
    noise = rng.normal(images[0].numel()).reshape(images.shape) * 0.3 + 0.65
    wet = (gaussian_filter(noise, 1.0) > level).to(torch.float32)
    mud = gaussian_filter(wet, 1.5)
    mud = torch.where(mud < 0.8, 0.0, mud)
    return images * (1 - mud) + mud * (63 / 255)
