"""Classify the digits of image files: predictions as text, JSON and drawings of the input."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import ExitCode
from mnist_trainer.inference.digit_images.boxes import DetectedDigit
from mnist_trainer.inference.digit_images.detect import (
    BATCH,
    MANY,
    Detection,
    detect_all,
    detection_pool,
)
from mnist_trainer.inference.digit_images.display import (
    Style,
    bar,
    choose_style,
    printable,
    render_digits,
    write_digit_images,
)
from mnist_trainer.inference.digit_images.find_images import ImageSource, find_images
from mnist_trainer.inference.digit_images.prepare import knows_digits
from mnist_trainer.inference.digit_images.read_image import SourceImage
from mnist_trainer.system.cores import use_one_thread

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

SEVERAL = "several digits? Read them with --digits many."


@dataclass(frozen=True)
class DigitPrediction:
    """A detected digit and its class probabilities."""

    digit: DetectedDigit
    probabilities: NDArray[np.float64]
    """(num_classes,)."""
    class_names: Sequence[str]
    unsure_below: float
    """The answer is unsure where its probability is smaller."""

    def top(self, count: int) -> list[tuple[str, float]]:
        """Names and probabilities of the most probable classes."""
        ranked = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.class_names[label], float(self.probabilities[label])) for label in ranked]

    @property
    def label(self) -> str:
        """Name of the predicted class."""
        return self.top(1)[0][0]

    @property
    def is_unsure(self) -> bool:
        """Whether the predicted class is not probable enough to rely on."""
        return float(self.probabilities.max()) < self.unsure_below


@dataclass(frozen=True)
class ImagePrediction:
    """The predictions for one image file, or why there are none."""

    source: ImageSource
    image: SourceImage | None
    digits: Sequence[DigitPrediction]
    error: str | None = None

    def text(self) -> str:
        """The predicted classes: lines of digits; names of words are separated by spaces."""
        lines = groupby(self.digits, key=lambda prediction: prediction.digit.line)
        names = self.digits[0].class_names if self.digits else ()
        space = "" if all(len(name) == 1 for name in names) else " "
        return "\n".join(space.join(each.label for each in line) for _, line in lines)

    @property
    def has_several(self) -> bool:
        """Whether the image seems to contain more digits than the one that was asked for."""
        return any(prediction.digit.among_several for prediction in self.digits)


def classify_images(arguments: argparse.Namespace) -> ExitCode:
    """Classify every image; report those that cannot be used, and exit with 2 if there are any.

    Raises:
        UserError: the run cannot be used.
    """
    sources = find_images(arguments.pictures)
    with detection_pool(sources) as pool:
        entries = classify_sources(arguments, sources, pool)
    failed = sum("error" in entry for entry in entries)
    if failed and len(entries) > 1:
        report(f"mnist-predict: {failed} of {len(entries)} pictures could not be used.")
    # Promise R25 of docs/reliability.md.
    return ExitCode.CONFIG if failed else ExitCode.OK


def classify_sources(
    arguments: argparse.Namespace,
    sources: Sequence[ImageSource],
    pool: ProcessPoolExecutor | None,
) -> list[dict[str, Any]]:
    """Load the network, classify every image, print what was found; the entries of the JSON
    document.

    Raises:
        UserError: the run cannot be used.
    """
    from mnist_trainer.inference.loading import load_run

    trained = load_run(arguments.run, checkpoint=arguments.checkpoint, device=arguments.device)
    other_things = not knows_digits(trained.class_names)
    if other_things and not arguments.json:
        report(
            "note: pictures are prepared as digits are (cropped, fitted into 20x20, centred by"
            " their mass), whatever the classes; only 28x28 grey ones are left as they are."
        )
    style = None if arguments.json else choose_style()
    entries = []
    if pool is not None:
        use_one_thread()  # The other cores detect.
    detections = detect_all(sources, arguments.digits, pool, other_things=other_things)
    for prediction in classify_all(sources, detections, trained):
        entries.append(as_json(prediction, arguments.top))
        print_prediction(prediction, arguments.top, style)
        if arguments.show and prediction.image is not None:
            show_digits(prediction, prediction.image, arguments.show_dir, style)
    if arguments.json:
        print(json.dumps(as_document(arguments.run, trained, entries), indent=2))
    return entries


def classify_all(
    sources: Sequence[ImageSource], detections: Iterable[Detection], trained: "TrainedModel"
) -> Iterator[ImagePrediction]:
    """Classify the digits that were detected in each image, in the order of the sources.

    Of many images the network is shown the digits of several at a time, which is quicker.
    """
    pairs = zip(sources, detections, strict=True)
    size = BATCH if len(sources) >= MANY else 1
    while batch := list(islice(pairs, size)):
        yield from classify_batch(batch, trained)


def classify_batch(
    images: Sequence[tuple[ImageSource, Detection]], trained: "TrainedModel"
) -> Iterator[ImagePrediction]:
    """Classify the digits that were detected in several images at once."""
    # Late: a mistake in the command line is answered before SciPy is imported.
    from scipy.special import softmax

    from mnist_trainer.inference.digit_images.segmentations import classify_digits

    calibration = trained.calibration
    detected = [digit for _, detection in images for digit in detection.digits]
    answers = iter(classify_digits(detected, trained) if detected else ())
    for source, detection in images:
        predictions = [
            DigitPrediction(
                each.digit,
                softmax(each.logits / calibration.temperature),
                trained.class_names,
                calibration.unsure_below,
            )
            for each in islice(answers, len(detection.digits))
        ]
        yield ImagePrediction(source, detection.image, predictions, detection.error)


def as_document(
    run: str, trained: "TrainedModel", entries: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The JSON document of all images."""
    calibration = {
        "temperature": trained.calibration.temperature,
        "unsure_below": trained.calibration.unsure_below,
    }
    names = list(trained.class_names)
    return {"run": run, "class_names": names, "calibration": calibration, "pictures": entries}


def as_json(prediction: ImagePrediction, top: int) -> dict[str, Any]:
    """The entry of one image in the JSON document.

    Boxes are left, top, right, bottom in pixels of the upright original.
    """
    if prediction.image is None:
        return {"picture": prediction.source.name, "error": prediction.error}
    scale = prediction.image.scale
    digits = []
    for each in prediction.digits:
        box = each.digit.box
        classes = [{"class": name, "probability": value} for name, value in each.top(top)]
        corners = [round(side * scale) for side in (box.left, box.top, box.right, box.bottom)]
        digits.append(
            {
                **classes[0],
                "unsure": each.is_unsure,
                "top": classes,
                "box": corners,
                "line": each.digit.line,
            }
        )
    note = {"note": SEVERAL} if prediction.has_several else {}
    name = prediction.source.name
    return {"picture": name, "text": prediction.text(), "digits": digits, **note}


def print_prediction(prediction: ImagePrediction, top: int, style: Style | None) -> None:
    """Print the predicted classes, if there is a style, and what is wrong to standard error."""
    name = printable(prediction.source.name)
    if prediction.error:
        report(f"mnist-predict: {name}: {prediction.error}")
    elif style:
        lines = " / ".join(prediction.text().splitlines())
        print(f"{name}: {lines}{unsure_note(prediction.digits)}")
        print_classes(prediction.digits, top, style)
    if prediction.has_several:
        report(f"mnist-predict: {name}: {SEVERAL}")


def unsure_note(predictions: Sequence[DigitPrediction]) -> str:
    """What to add to the predicted classes where some are unsure."""
    unsure = [number for number, each in enumerate(predictions, start=1) if each.is_unsure]
    if not unsure:
        return ""
    which = "" if len(predictions) == 1 else f" of digit {', '.join(map(str, unsure))}"
    return f"  (unsure{which}: less than {predictions[0].unsure_below:.0%} probable)"


def print_classes(predictions: Sequence[DigitPrediction], top: int, style: Style) -> None:
    """A bar for each of the top classes of a single digit; one line for each of several."""
    width = max(len(name) for name in predictions[0].class_names)
    for number, prediction in enumerate(predictions, start=1):
        ranked = prediction.top(top)
        rows = [
            f"{name:<{width}} {probability:>6.1%} {bar(probability, style)}"
            for name, probability in ranked
        ]
        if len(predictions) > 1:
            others = ", ".join(f"{name} {probability:.1%}" for name, probability in ranked[1:])
            rows = [f"{number:>3}. {rows[0]}  {others}"]
        for row in rows:
            print(f"  {row}".rstrip())


def show_digits(
    prediction: ImagePrediction, image: SourceImage, folder: Path, style: Style | None
) -> None:
    """Write the input of the network as PNG files, and print it if there is a style.

    Raises:
        MachineError: the files cannot be written.
    """
    detected = [each.digit for each in prediction.digits]
    if style:
        print(render_digits([digit.image for digit in detected], style))
    labels = [each.label for each in prediction.digits]
    stem = Path(prediction.source.name).stem
    written = write_digit_images(image, detected, labels, folder, stem)
    if style:
        between = "and" if len(written) == 3 else "to"
        last = f" {between} {written[-1].name}" if len(written) > 2 else ""
        rest = f", {written[1]}{last}" if len(written) > 1 else ""
        print(f"  seen: {written[0]}{rest}")


def report(message: str) -> None:
    """Write a line to standard error."""
    print(message, file=sys.stderr, flush=True)
