"""How well people's pictures are read: digits turned into photographs, scans and drawings, then
read as any picture is.

    python -m benchmarks.people_pictures outputs/latest              60 test digits of each kind
    python -m benchmarks.people_pictures RUN --split validation      for whoever changes the
    preprocessing or a recipe: never on the test
    python -m benchmarks.people_pictures RUN --worst 40 worst.png    what went wrong, as a picture

Every picture goes through a file format and back. Handwritten digits are those of MNIST, printed
ones those of the fonts of this machine (DejaVu left out, which a network may be trained with), so
that other fonts give other pictures: how many were found is printed. Same seed and fonts, same
pictures.
"""

import argparse
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.special import softmax

from benchmarks.photographs.failures import FAILURES, NOTHING_FOUND, failure_class
from benchmarks.photographs.glyphs import (
    Glyph,
    Picture,
    find_fonts,
    fonts_named,
    handwritten,
    pick_font,
    printed,
)
from benchmarks.photographs.kinds import PHOTOGRAPHS, PhotographKind, photograph
from benchmarks.photographs.plain import KINDS as PLAIN
from benchmarks.photographs.plain import Kind as PlainKind
from benchmarks.photographs.plain import people_picture
from mnist_trainer import load_run
from mnist_trainer.config.settings import NUM_TRAINING_IMAGES
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.data.split import stratified_holdout
from mnist_trainer.inference.digit_images.read_image import ImageError, read_image
from mnist_trainer.inference.digit_images.segment import find_digit
from mnist_trainer.inference.digit_images.segmentations import classify_digits
from mnist_trainer.inference.scoring.calibration import calibrate_logits
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.calibration import write_calibration
from mnist_trainer.runs.metrics import wilson_interval

AnyKind = PlainKind | PhotographKind
KINDS: tuple[AnyKind, ...] = (*PLAIN, *PHOTOGRAPHS)


@dataclass(frozen=True)
class Reading:
    """A picture and what was read in it."""

    kind: str
    label: int
    picture: Picture
    seen: NDArray[np.uint8]
    """(28, 28), what the network was shown; all 0 where nothing was found."""
    logits: NDArray[np.float64]
    """(C,); all 0 where nothing was found."""
    failure: str | None
    """The class of failure; None where the label was read."""

    @property
    def confidence(self) -> float:
        """Probability of the class that was read."""
        shares = np.exp(self.logits - self.logits.max())
        return float(shares.max() / shares.sum())


@dataclass(frozen=True)
class KindReadings:
    """All readings of a kind of picture, and how long reading them took."""

    kind: AnyKind
    readings: Sequence[Reading]
    seconds: float

    @property
    def failed(self) -> list[Reading]:
        return [reading for reading in self.readings if reading.failure]


def draw_pictures(
    kind: AnyKind, digits: LabelledImages, count: int, seed: Sequence[int]
) -> Iterator[tuple[int, Picture]]:
    """``count`` digits drawn by the seed, as pictures of a kind, each with its label."""
    rng = np.random.default_rng(seed)
    for index in rng.choice(len(digits), count, replace=count > len(digits)):
        image, label = digits.images[index, 0].numpy(), int(digits.labels[index])
        if isinstance(kind, PlainKind):
            yield label, people_picture(image, kind, rng)
            continue
        others = [
            glyph_of(digits, int(each), 0.0, rng) for each in rng.integers(len(digits), size=3)
        ]
        yield label, photograph(glyph_of(digits, index, kind.printed, rng), kind, others, rng)


def digits_of(trained: TrainedModel, part: str) -> LabelledImages:
    """Handwritten digits of the test images, or of those that a run like this one holds out."""
    dataset = load_dataset(trained.config.data)
    if part == "test":
        return dataset.test
    size, seed = trained.config.data.validation_size or 5000, trained.config.data.split_seed
    held_out = stratified_holdout(dataset.train.labels, size, seed)[1]
    # After MNIST's own come printed ones, of fonts that are not to be drawn here.
    return dataset.train.select(held_out[held_out < NUM_TRAINING_IMAGES["mnist"]])


def glyph_of(
    digits: LabelledImages, index: int, share_printed: float, rng: np.random.Generator
) -> Glyph:
    """A digit as it was written, or, for a share, its class as a font has it."""
    label = int(digits.labels[index])
    if rng.random() < share_printed:
        return printed(pick_font(find_fonts(), rng), label)
    return handwritten(digits.images[index, 0].numpy(), label)


def read_all(
    trained: TrainedModel,
    digits: LabelledImages,
    count: int,
    seed: int,
    kinds: Sequence[AnyKind] = KINDS,
) -> Iterator[KindReadings]:
    """Pictures of each kind, read as ``mnist-predict`` reads them."""
    for kind in kinds:
        started, drawing, readings = time.perf_counter(), 0.0, []
        pictures = draw_pictures(kind, digits, count, [seed, KINDS.index(kind)])
        while True:
            before = time.perf_counter()
            drawn = next(pictures, None)
            drawing += time.perf_counter() - before
            if drawn is None:
                break
            readings.append(read_one(trained, kind.name, *drawn))
        yield KindReadings(kind, readings, time.perf_counter() - started - drawing)


def read_one(trained: TrainedModel, kind: str, label: int, picture: Picture) -> Reading:
    """Read a picture of one digit."""
    try:
        source = read_image(io.BytesIO(picture.content), 640)
        found = find_digit(source.pixels)
    except ImageError:
        nothing = np.zeros((28, 28), np.uint8)
        return Reading(kind, label, picture, nothing, np.zeros(trained.num_classes), NOTHING_FOUND)
    (answer,) = classify_digits([found], trained)
    right = int(answer.logits.argmax()) == label
    failure = None if right else failure_class(answer.digit.box, picture.box, source.scale)
    return Reading(kind, label, picture, answer.digit.image, answer.logits, failure)


def sheet_of(readings: Sequence[Reading]) -> Image.Image:
    """Pictures, each with what the network was shown, what it read and what went wrong."""
    columns, side = 8, 150
    lines = -(-max(1, len(readings)) // columns)
    sheet = Image.new("RGB", (columns * side, lines * (side + 108)), (246, 247, 249))
    draw = ImageDraw.Draw(sheet)
    for position, reading in enumerate(readings):
        left, top = position % columns * side + 4, position // columns * (side + 108) + 4
        picture = Image.open(io.BytesIO(reading.picture.content)).convert("RGB")
        ratio = (side - 8) / max(picture.size)
        size = (max(1, int(picture.width * ratio)), max(1, int(picture.height * ratio)))
        sheet.paste(picture.resize(size, Image.Resampling.BICUBIC), (left, top))
        seen = Image.fromarray(reading.seen).resize((56, 56), Image.Resampling.NEAREST)
        sheet.paste(seen, (left, top + side - 4))
        read = f"{reading.logits.argmax()}, {reading.confidence:.0%}"
        name = reading.kind.removeprefix("photo: ")
        words = (f"{reading.label}, read {read}", str(reading.failure), name[:13], name[13:26])
        draw.multiline_text((left + 60, top + side - 4), "\n".join(words), fill=(32, 38, 46))
    return sheet


def print_result(name: str, right: int, count: int) -> None:
    """A line: how many were read rightly, with a 95 % interval."""
    low, high = wilson_interval(right, count)
    print(f"{name:<28} {right:>6} / {count}  {right / count:6.1%}  {low:.1%} to {high:.1%}")


def calibrate(trained: TrainedModel, readings: Sequence[Reading]) -> None:
    """Fit the calibration on pictures in which something was found, and keep it in the run."""
    if trained.folder is None:
        raise SystemExit("--calibrate: name the folder of the run, where the calibration is kept")
    read = [reading for reading in readings if reading.failure != NOTHING_FOUND]
    logits = np.stack([reading.logits for reading in read])
    labels = np.array([reading.label for reading in read])
    fitted = calibrate_logits(logits, labels, trained.checkpoint.sha256)
    write_calibration(trained.folder, fitted)
    sure = [
        reading.failure is None
        for reading in read
        if softmax(reading.logits / fitted.temperature).max() >= fitted.unsure_below
    ]
    print(
        f"temperature {fitted.temperature:.3f}; unsure below {fitted.unsure_below:.1%}: of"
        f" {len(read)} answers {len(sure)} are sure, and {np.mean(sure):.2%} of those right"
    )


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description="How well people's pictures are read.")
    parser.add_argument("run", help="a run folder")
    parser.add_argument("--count", type=int, default=60, help="digits of each kind of picture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--kinds", default="", help="only kinds with this in their name")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="fit the temperature on these pictures and keep it in the run: calibration.json",
    )
    parser.add_argument(
        "--worst",
        nargs=2,
        metavar=("COUNT", "PNG"),
        help="save so many of those misread, with what went wrong; the most certain first",
    )
    return parser.parse_args()


def main() -> None:
    """Print the share that was read rightly, by kind, and save the pictures that were not."""
    arguments = parse()
    if arguments.calibrate and arguments.split == "test":
        raise SystemExit("--calibrate: never on test images; add --split validation")
    trained = load_run(arguments.run)
    digits = digits_of(trained, arguments.split)
    print(fonts_named(find_fonts()))
    kinds = [kind for kind in KINDS if arguments.kinds in kind.name]
    results = []
    for result in read_all(trained, digits, arguments.count, arguments.seed, kinds):
        right = len(result.readings) - len(result.failed)
        print_result(result.kind.name, right, len(result.readings))
        results.append(result)
    failed = [reading for result in results for reading in result.failed]
    total = sum(len(result.readings) for result in results)
    print_result("all", total - len(failed), total)
    worst = max(results, key=lambda result: len(result.failed) / len(result.readings))
    print(f"worst kind: {worst.kind.name}")
    for name in FAILURES:
        print(f"  {name:<26} {sum(reading.failure == name for reading in failed):>6}")
    print(f"read {total / sum(result.seconds for result in results):.0f} pictures a second")
    if arguments.calibrate:
        calibrate(trained, [reading for result in results for reading in result.readings])
    if arguments.worst:
        count, path = int(arguments.worst[0]), Path(arguments.worst[1])
        failed.sort(key=lambda reading: -reading.confidence)
        sheet_of(failed[:count]).save(path)
        print(f"the worst: {path}")


if __name__ == "__main__":
    main()
