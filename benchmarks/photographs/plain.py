"""Digits as scans, drawings and tidy photographs: lines across the whole picture, even ink."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.photographs.glyphs import Picture
from mnist_trainer.inference.digit_images.boxes import Box
from mnist_trainer.inference.digit_images.components import label_components

Grey = NDArray[np.float64]
PAPERS = (
    (250, 247, 238),
    (238, 232, 210),
    (225, 226, 228),
    (255, 255, 255),
    (244, 236, 190),
    (214, 226, 236),
)
INKS = ((25, 25, 30), (20, 35, 120), (60, 60, 62), (15, 70, 40), (130, 20, 25))
RULES = ((120, 160, 215), (215, 120, 125), (165, 165, 165), (90, 120, 190))


@dataclass(frozen=True)
class Kind:
    """A kind of picture that people bring; each flag a thing that is done to it."""

    name: str
    ruled: bool = False
    margin: bool = False
    grid: bool = False
    shaded: bool = False
    noise: bool = True
    frame: bool = False
    inverted: bool = True
    photograph: bool = True
    pen: str = "any"
    share: tuple[float, float] = (0.2, 0.9)
    """Longer side of the digit as a share of the shorter side of the picture."""


KINDS = (
    Kind("drawing", photograph=False, noise=False),
    Kind("plain paper"),
    Kind("ruled paper", ruled=True),
    Kind("ruled, margin, shaded", ruled=True, margin=True, shaded=True),
    Kind("squared paper", grid=True, ruled=True),
    Kind("shaded photograph", shaded=True),
    Kind("board (light on dark)", inverted=False, shaded=True),
    Kind("thin pen, ruled", ruled=True, pen="thin"),
    Kind("thick pen, shaded", shaded=True, pen="thick"),
    Kind("framed", frame=True),
    Kind("small", ruled=True, shaded=True, share=(0.2, 0.3)),
    Kind("large", ruled=True, shaded=True, share=(0.8, 0.9)),
)


def people_picture(digit: NDArray[np.uint8], kind: Kind, rng: np.random.Generator) -> Picture:
    """A digit of (28, 28) as a picture of that kind."""
    coverage = written(digit, kind, rng)  # 0..1, cropped to the ink
    share = rng.uniform(*kind.share)
    shorter = max(max(coverage.shape) / share, max(coverage.shape) + 8)
    height, width = (
        int(shorter * (1 if rng.random() < 0.5 else rng.uniform(1, 1.4))) for _ in range(2)
    )
    top = int((height - coverage.shape[0]) * rng.uniform(0.06, 0.94))
    left = int((width - coverage.shape[1]) * rng.uniform(0.06, 0.94))
    ink = np.zeros((height, width))
    ink[top : top + coverage.shape[0], left : left + coverage.shape[1]] = coverage
    box = Box(top, left, top + coverage.shape[0], left + coverage.shape[1])
    if not kind.photograph:
        return Picture(drawing(ink, rng), box)
    sheet = paper(height, width, kind, rng)
    colour = np.array(INKS[rng.integers(len(INKS))], float)
    if not kind.inverted:
        sheet, colour = sheet * rng.uniform(0.12, 0.3), np.array((235, 235, 225.0))
    picture = sheet * (1 - ink[..., None]) + colour * ink[..., None] * rng.uniform(0.9, 1)
    if kind.shaded:
        picture *= shading(height, width, rng)[..., None]
    if kind.noise:
        picture += rng.normal(0, rng.uniform(1, 7), picture.shape)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(rng.integers(30, 96)))
    return Picture(file.getvalue(), box)


def written(digit: NDArray[np.uint8], kind: Kind, rng: np.random.Generator) -> Grey:
    """The digit enlarged 3 to 20 times, turned by up to 10 degrees, in another pen; cropped, 0 to
    1."""
    scale = rng.uniform(3, 20)
    side = int(28 * scale)
    large = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    large = large.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC, expand=True)
    if scale > 8 and rng.random() < 0.5:  # A pen has sharper edges than an enlarged image.
        large = large.point(
            [
                0 if level < 100 else 255 if level > 155 else int((level - 100) * 255 / 55)
                for level in range(256)
            ]
        )
    reach = int(scale * 0.45) * 2 + 1
    if kind.pen == "thin" and reach > 1:
        thinner = large.filter(ImageFilter.MinFilter(reach))
        large = (
            thinner
            if np.asarray(thinner).max() > 200 and broken(thinner) <= broken(large)
            else large
        )
    elif kind.pen == "thick" and reach > 1:
        large = large.filter(ImageFilter.MaxFilter(reach))
    ink = np.asarray(large, float) / 255
    rows, columns = np.nonzero(ink > 0.1)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def broken(image: Image.Image) -> int:
    """In how many pieces a digit is."""
    return len(label_components(np.asarray(image) > 100)[1])


def drawing(ink: Grey, rng: np.random.Generator) -> bytes:
    """As a paint program saves it: one colour on another, PNG, perhaps with transparent paper."""
    dark_on_light = rng.random() < 0.5
    paper_grey, ink_grey = (255.0, 0.0) if dark_on_light else (0.0, 255.0)
    levels = np.round(paper_grey + (ink_grey - paper_grey) * ink).astype(np.uint8)
    image = Image.fromarray(np.pad(levels, 3, constant_values=int(paper_grey)))
    if rng.random() < 0.3:
        alpha = Image.fromarray(np.pad(np.round(255 * ink).astype(np.uint8), 3))
        image = Image.merge("LA", (Image.new("L", alpha.size, int(ink_grey)), alpha))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def paper(height: int, width: int, kind: Kind, rng: np.random.Generator) -> Grey:
    """A sheet (H, W, 3), lines and frame on it, as bright as it is in even light."""
    sheet = Image.new("RGB", (width, height), PAPERS[rng.integers(len(PAPERS))])
    draw = ImageDraw.Draw(sheet)
    spacing = int(min(height, width) * rng.uniform(0.08, 0.3)) + 4
    thickness = max(1, int(min(height, width) * rng.uniform(0.002, 0.009)))
    rule = RULES[rng.integers(len(RULES))]
    rise = int(width * rng.uniform(-0.02, 0.02))
    if kind.ruled:
        for row in range(int(rng.integers(spacing)) - spacing, height + spacing, spacing):
            draw.line([(-1, row), (width, row + rise)], fill=rule, width=thickness)
    if kind.grid:
        for column in range(int(rng.integers(spacing)), width, spacing):
            draw.line([(column, -1), (column, height)], fill=rule, width=thickness)
    if kind.margin:
        column = int(width * rng.uniform(0.08, 0.3))
        draw.line([(column, -1), (column, height)], fill=(210, 70, 80), width=thickness)
    if kind.frame:
        inset = int(min(height, width) * rng.choice([0.0, 0.015]))
        box = (inset, inset, width - 1 - inset, height - 1 - inset)
        draw.rectangle(
            box,
            outline=(40, 40, 40),
            width=max(1, int(min(height, width) * rng.uniform(0.004, 0.015))),
        )
    return np.asarray(sheet, float)


def shading(height: int, width: int, rng: np.random.Generator) -> Grey:
    """Uneven light: darker to one side, darker in the corners."""
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    side = 1 - rng.uniform(0, 0.35) * (1 + np.cos(angle) * columns + np.sin(angle) * rows) / 2
    corners = 1 - rng.uniform(0, 0.35) * (rows**2 + columns**2) / 2
    return np.asarray(side * corners)
