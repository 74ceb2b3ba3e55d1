"""How well people's pictures are read: MNIST digits turned into photographs, scans and drawings,
then read as any picture is.

    python -m benchmarks.people_pictures outputs/latest              60 test digits of each kind
    python -m benchmarks.people_pictures RUN --split validation      for whoever changes the
    preprocessing: never on the test

Every picture goes through a file format and back. Same seed, same pictures.
"""

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from mnist_trainer import load_run
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import stratified_holdout
from mnist_trainer.inference.digit_images.components import label_components
from mnist_trainer.inference.digit_images.read_image import ImageError, read_image
from mnist_trainer.inference.digit_images.segment import find_digit
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.metrics import wilson_interval

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


def people_picture(digit: NDArray[np.uint8], kind: Kind, rng: np.random.Generator) -> bytes:
    """A digit of (28, 28) as the bytes of a picture file of that kind."""
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
    if not kind.photograph:
        return drawing(ink, rng)
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
    return file.getvalue()


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


@dataclass(frozen=True)
class Mistake:
    """A picture that was misread, or not read at all."""

    kind: str
    label: int
    said: str
    content: bytes
    seen: NDArray[np.uint8]
    """(28, 28), what the network was shown; all 0 where nothing was found."""


def read_all(
    trained: TrainedModel, digits: LabelledImages, count: int, seed: int
) -> Iterator[tuple[Kind, list[Mistake]]]:
    """``count`` digits drawn by the seed, as pictures of each kind, read as ``mnist-predict`` reads
    them."""
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng([seed, number])
        mistakes = []
        for index in rng.choice(len(digits), count, replace=False):
            content = people_picture(digits.images[index, 0].numpy(), kind, rng)
            label = int(digits.labels[index])
            try:
                seen = find_digit(read_image(io.BytesIO(content), 640).pixels).image
                said = str(int(trained.logits(seen).argmax()))
            except ImageError as error:
                seen, said = np.zeros((28, 28), np.uint8), str(error)
            if said != str(label):
                mistakes.append(Mistake(kind.name, label, said, content, seen))
        yield kind, mistakes


def sheet_of(mistakes: Sequence[Mistake]) -> Image.Image:
    """All pictures that were misread, each with what the network was shown and what it said."""
    columns, side = 6, 190
    lines = -(-max(1, len(mistakes)) // columns)
    sheet = Image.new("RGB", (columns * side, lines * (side + 120)), (246, 247, 249))
    draw = ImageDraw.Draw(sheet)
    for position, mistake in enumerate(mistakes):
        left, top = position % columns * side + 4, position // columns * (side + 120) + 4
        picture = Image.open(io.BytesIO(mistake.content)).convert("RGB")
        picture.thumbnail((side - 8, side - 8))
        sheet.paste(picture, (left, top))
        sheet.paste(
            Image.fromarray(mistake.seen).resize((84, 84), Image.Resampling.NEAREST),
            (left, top + side - 4),
        )
        draw.text(
            (left, top + side + 84),
            f"{mistake.kind}: {mistake.label}, read {mistake.said[:12]}",
            fill=(32, 38, 46),
        )
    return sheet


def main() -> None:
    """Print the share that was read rightly, by kind, and save the pictures that were not."""
    parser = argparse.ArgumentParser(description="How well people's pictures are read.")
    parser.add_argument("run", help="a run folder")
    parser.add_argument("--count", type=int, default=60, help="digits of each kind of picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument(
        "--failures", type=Path, default=Path("people_pictures_misread.png"), metavar="PNG"
    )
    arguments = parser.parse_args()
    trained = load_run(arguments.run)
    dataset = load_dataset(trained.config.data)
    held_out = stratified_holdout(dataset.train.labels, 5000, 0)[1]
    digits = dataset.test if arguments.split == "test" else dataset.train.select(held_out)
    misread: list[Mistake] = []
    for kind, mistakes in read_all(trained, digits, arguments.count, arguments.seed):
        right = arguments.count - len(mistakes)
        print(
            f"{kind.name:<24} {right:>5} / {arguments.count}  {right / arguments.count:6.1%}",
            flush=True,
        )
        misread += mistakes
    total = arguments.count * len(KINDS)
    low, high = wilson_interval(total - len(misread), total)
    right = total - len(misread)
    print(
        f"{'all':<24} {right:>5} / {total}  {right / total:6.1%}  (95 % interval {low:.1%} to"
        f" {high:.1%})"
    )
    if misread:
        sheet_of(misread).save(arguments.failures)
        print(f"misread: {arguments.failures}")


if __name__ == "__main__":
    main()
