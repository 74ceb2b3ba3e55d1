"""Images that show no digit: noise, blank images, rotated letters, pictures of clothes."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.errors import DataError
from mnist_trainer.inference.card.subject import Subject, spaced_indexes
from mnist_trainer.inference.scoring.evaluation_result import data_settings

if TYPE_CHECKING:
    Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

KINDS = ("uniform_noise", "gaussian_noise", "blank", "letters", "fashion_mnist")
LETTERS = "AEFHKMNRWX"
"""Letters that look like no digit, however they are turned."""
FONT_FILES = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSansMono.ttf",
    "DejaVuSerif.ttf", "DejaVuSerif-Italic.ttf",
)  # fmt: skip
"""Of those that Matplotlib brings."""
FONT_SIZE, CANVAS, BOX = 56, 96, 20
"""In pixels: of a letter, of what it is drawn on, and the side that it is scaled to, as MNIST's
digits are."""


def images_without_digits(kind: str, subject: Subject) -> Tensor | str:
    """Images of a kind, uint8 (N, 1, 28, 28), or why there are none."""
    if kind == "fashion_mnist":
        return _fashion_mnist(subject)
    count = subject.effort.unknown
    rng = np.random.default_rng([subject.seed, KINDS.index(kind)])
    if kind == "letters":
        return torch.from_numpy(letters(count, rng))[:, None]
    shape = (count, 1, IMAGE_SIZE, IMAGE_SIZE)
    if kind == "uniform_noise":
        return torch.from_numpy(rng.integers(256, size=shape, dtype=np.uint8))
    if kind == "gaussian_noise":
        # As in Liang et al., Enhancing the reliability of out-of-distribution detection (2018).
        noise = np.clip(rng.normal(0.5, 1.0, size=shape), 0, 1)
        return torch.from_numpy((255 * noise).round().astype(np.uint8))
    return torch.arange(256, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, *shape[2:])


def _fashion_mnist(subject: Subject) -> Tensor | str:
    """Test images of Fashion-MNIST where they are in the cache; nothing is downloaded."""
    if subject.settings.name == "fashion_mnist":
        return "the network was trained on it"
    settings = data_settings(subject.trained, "fashion_mnist", subject.settings.root)
    try:
        test = load_dataset(dataclasses.replace(settings, download=False)).test
    except DataError:
        return (
            "not in the cache of data sets, and a card downloads nothing; to fetch it:"
            " mnist-train data=fashion_mnist"
        )
    return test.images[spaced_indexes(len(test), subject.effort.unknown)]


def fonts() -> "list[Font]":
    """Pillow's own font, and those of Matplotlib that are there."""
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    found = [folder / name for name in FONT_FILES if (folder / name).is_file()]
    own: Font = ImageFont.load_default(FONT_SIZE)
    return [own, *(ImageFont.truetype(path, FONT_SIZE) for path in found)]


def letters(count: int, rng: np.random.Generator) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Rotated letters, bright on dark, of MNIST's size and place: uint8, (count, 28, 28)."""
    known = fonts()
    drawn = np.zeros((count, IMAGE_SIZE, IMAGE_SIZE), dtype=np.uint8)
    for number in range(count):
        letter = LETTERS[rng.integers(len(LETTERS))]
        font = known[rng.integers(len(known))]
        drawn[number] = _normalize(_draw_letter(letter, font).rotate(float(rng.uniform(0, 360))))
    return drawn


def _draw_letter(letter: str, font: "Font") -> Image.Image:
    canvas = Image.new("L", (CANVAS, CANVAS))
    ImageDraw.Draw(canvas).text((CANVAS // 2, CANVAS // 2), letter, 255, font, anchor="mm")
    return canvas


def _normalize(canvas: Image.Image) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """The ink scaled into a box of 20 pixels and centred in 28."""
    ink = canvas.crop(canvas.getbbox())
    scale = BOX / max(ink.size)
    width, height = (max(1, round(side * scale)) for side in ink.size)
    image = Image.new("L", (IMAGE_SIZE, IMAGE_SIZE))
    place = ((IMAGE_SIZE - width) // 2, (IMAGE_SIZE - height) // 2)
    image.paste(ink.resize((width, height), Image.Resampling.BILINEAR), place)
    return np.asarray(image)
