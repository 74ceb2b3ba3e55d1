"""What a camera makes of a sheet: perspective, light, lens, sensor and compression.

Each function takes light (H, W, 3), 0 to 1, and numbers drawn from ``rng``.
"""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from benchmarks.photographs.glyphs import Plane
from benchmarks.photographs.sheet import Light, smooth_noise

CASTS = (
    (1.0, 0.86, 0.62),  # lamp
    (1.0, 0.93, 0.8),
    (0.82, 0.92, 1.0),  # shade
    (0.9, 1.0, 0.88),  # tube
    (1.0, 0.9, 0.95),
)
"""White paper as a camera with a wrong white balance records it."""


def homography(
    shape: tuple[int, int], rotation: float, perspective: float, rng: np.random.Generator
) -> tuple[float, ...]:
    """Eight coefficients from output to input pixels, as ``Image.transform`` takes them.

    Args:
        rotation: largest rotation either way, in degrees.
        perspective: how far each corner may lie off, as a share of the sides.
    """
    height, width = shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    angle = np.deg2rad(rng.uniform(-rotation, rotation))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([width / 2, height / 2])
    seen = (corners - middle) @ turn.T + middle
    seen += rng.uniform(-perspective, perspective, (4, 2)) * np.array([width, height])
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, seen, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows), np.array(values)))


def view(plane: Plane, coefficients: tuple[float, ...]) -> Plane:
    """A channel as it is seen along a homography."""
    image = Image.fromarray(plane.astype(np.float32))
    moved = image.transform(
        image.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC
    )
    return np.asarray(moved, float)


def uneven_light(shape: tuple[int, int], strength: float, rng: np.random.Generator) -> Plane:
    """Light that falls off to a side and to the corners; ``strength`` is the largest loss."""
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    side = 1 - rng.uniform(0, strength) * (1 + np.cos(angle) * columns + np.sin(angle) * rows) / 2
    return np.asarray(side * (1 - rng.uniform(0, strength) * (rows**2 + columns**2) / 2))


def hard_shadow(shape: tuple[int, int], rng: np.random.Generator) -> Light:
    """The shadow of a hand or a telephone: one or two straight or curved edges, nearly sharp; what
    light is left there is a little bluer."""
    height, width = shape
    rows, columns = np.mgrid[:height, :width]
    angle = rng.uniform(0, 2 * np.pi)
    across = (columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)
    along = (rows - height / 2) * np.cos(angle) - (columns - width / 2) * np.sin(angle)
    reach = max(shape)
    bend = rng.uniform(-0.5, 0.5) * along**2 / reach
    off = across + bend - rng.uniform(-0.45, 0.35) * reach
    soft = rng.uniform(0.8, 0.08 * reach + 1)
    shade = 1 / (1 + np.exp(-off / soft))
    depth = rng.uniform(0.3, 0.65) * np.array([1.0, 0.97, 0.92])
    return np.asarray(1 - shade[..., None] * depth)


def gloss(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """The reflection of a lamp: light that is added."""
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    angle = rng.uniform(0, np.pi)
    row, column = rng.uniform(-1.1, 1.1, 2)
    along = (rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)
    across = (columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)
    width, length = rng.uniform(0.15, 0.4), rng.uniform(0.4, 1.2)
    spot = np.exp(-((across / width) ** 2) - (along / length) ** 2)
    return np.asarray(rng.uniform(0.15, 0.5) * spot)


def blur(picture: Light, defocus: float, motion: float, rng: np.random.Generator) -> Light:
    """Defocus of a standard deviation in pixels, and a straight motion of a length in pixels."""
    if defocus > 0.05:
        picture = ndimage.gaussian_filter(picture, (defocus, defocus, 0))
    if motion >= 1:
        steps = int(np.ceil(motion)) * 2 + 1
        angle = rng.uniform(0, np.pi)
        side = int(np.ceil(motion)) // 2 + 1
        kernel = np.zeros((2 * side + 1, 2 * side + 1))
        for position in np.linspace(-motion / 2, motion / 2, steps):
            row, column = side + position * np.sin(angle), side + position * np.cos(angle)
            kernel[round(row), round(column)] += 1 / steps
        kernel = ndimage.gaussian_filter(kernel, 0.4)
        kernel /= kernel.sum()
        picture = np.stack(
            [ndimage.convolve(picture[..., each], kernel, mode="nearest") for each in range(3)], -1
        )
    return picture


def sensor(picture: Light, noise: float, cast: float, rng: np.random.Generator) -> Light:
    """White balance, exposure, contrast, grain of the sensor, sharpening.

    Args:
        noise: standard deviation of the grain, as a share of white.
        cast: how much of a wrong white balance, 0 to 1.
    """
    shape = (picture.shape[0], picture.shape[1])
    tint = np.array(CASTS[rng.integers(len(CASTS))])
    picture = picture * (1 + cast * (tint - 1)) * rng.uniform(0.7, 1.08)
    picture = rng.uniform(0, 0.12) + picture * rng.uniform(0.8, 1)  # Stray light.
    picture = np.clip(picture, 0, 1) ** rng.uniform(0.8, 1.25)
    if noise > 0:
        grain = rng.normal(0, noise, picture.shape)
        if rng.random() < 0.5:  # After denoising, chroma is left in blotches.
            grain = ndimage.gaussian_filter(grain, (0.7, 0.7, 0)) * 1.6
            blotches = np.stack([smooth_noise(shape, 3, rng) for _ in range(3)], -1)
            grain = grain + blotches * noise * 0.5
        picture = picture + grain * (0.5 + 0.5 * np.sqrt(np.clip(picture, 0, 1)))
    if rng.random() < 0.5:
        picture = picture + rng.uniform(0.2, 0.9) * (
            picture - ndimage.gaussian_filter(picture, (1.2, 1.2, 0))
        )
    return np.asarray(np.clip(picture, 0, 1))


def compressed(picture: Light, quality: tuple[int, int], rng: np.random.Generator) -> bytes:
    """The bytes of a JPEG file, colour at half the resolution more often than not."""
    image = Image.fromarray(np.round(255 * picture).astype(np.uint8))
    file = io.BytesIO()
    image.save(
        file,
        "JPEG",
        quality=int(rng.integers(*quality)),
        subsampling=2 if rng.random() < 0.7 else 0,
    )
    return file.getvalue()
