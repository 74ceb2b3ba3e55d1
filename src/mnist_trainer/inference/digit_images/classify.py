"""What a network says of people's pictures: one answer a picture, as text, as JSON, and as what it
was shown."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.errors import ExitCode
from mnist_trainer.inference.digit_images.display import (
    Style,
    bar,
    choose_style,
    printable,
    shown_in_terminal,
    write_seen,
)
from mnist_trainer.inference.digit_images.find_images import Source, find_pictures
from mnist_trainer.inference.digit_images.read_image import Picture, PictureError
from mnist_trainer.inference.digit_images.segment import FoundDigit, find_digit, find_digits

# Promise R25 of docs/reliability.md.
SOME_UNUSABLE = ExitCode.CONFIG

WORKING_SIDE = {"one": 640, "many": 1280}
"""Longer side to which a larger picture is averaged down, in pixels."""
SEVERAL = "several digits? Read them with --digits many."
DIGIT_NAMES = tuple("0123456789")


@dataclass(frozen=True)
class Reading:
    """One digit and what the network takes it for."""

    digit: FoundDigit
    probabilities: NDArray[np.float64]
    """(num_classes,)."""

    def ranked(self) -> list[int]:
        """Classes, likeliest first."""
        return [int(label) for label in np.argsort(-self.probabilities, kind="stable")]


@dataclass(frozen=True)
class Answer:
    """What was read in one picture, or why nothing was."""

    source: Source
    picture: Picture | None
    readings: Sequence[Reading]
    problem: str | None = None

    def text(self, class_names: Sequence[str]) -> str:
        """The likeliest reading: lines of digits, words with spaces between."""
        lines: dict[int, list[str]] = {}
        for reading in self.readings:
            lines.setdefault(reading.digit.line, []).append(class_names[reading.ranked()[0]])
        space = "" if all(len(name) == 1 for name in class_names) else " "
        return "\n".join(space.join(line) for line in lines.values())

    @property
    def of_several(self) -> bool:
        """Whether the picture seems to hold more digits than the one that was asked for."""
        return any(reading.digit.among_several for reading in self.readings)


def answer_all(arguments: argparse.Namespace) -> ExitCode:
    """Recognise every picture; those that cannot be used are named at the end.

    Raises:
        UserError: the run cannot be used.
    """
    sources = find_pictures(arguments.pictures)
    from mnist_trainer.inference.loading import load_run

    trained = load_run(arguments.run, checkpoint=arguments.checkpoint, device=arguments.device)
    other_things = tuple(trained.class_names[:10]) != DIGIT_NAMES
    if other_things and not arguments.json:
        print(
            "note: pictures are prepared as digits are (cropped, fitted into 20x20, centred by"
            " their mass), whatever the classes; only 28x28 grey ones are left as they are.",
            file=sys.stderr,
        )
    style = choose_style()
    answers = []
    for source in sources:
        answer = recognise(source, arguments.digits, trained, other_things)
        answers.append(as_json(answer, trained.class_names, arguments.top))
        if answer.problem:
            print(
                f"mnist-predict: {printable(source.name)}: {answer.problem}",
                file=sys.stderr,
                flush=True,
            )
        elif not arguments.json:
            print_answer(answer, trained.class_names, arguments.top, style)
        if answer.of_several:
            print(
                f"mnist-predict: {printable(source.name)}: {SEVERAL}", file=sys.stderr, flush=True
            )
        if arguments.show and not answer.problem:
            show(answer, trained.class_names, arguments.show_dir, None if arguments.json else style)
    if arguments.json:
        document = {
            "run": arguments.run,
            "class_names": list(trained.class_names),
            "pictures": answers,
        }
        print(json.dumps(document, indent=2))
    failed = sum("error" in answer for answer in answers)
    if failed and len(answers) > 1:
        print(
            f"mnist-predict: {failed} of {len(answers)} pictures could not be used.",
            file=sys.stderr,
        )
    return SOME_UNUSABLE if failed else ExitCode.OK


def recognise(source: Source, digits: str, trained: Any, other_things: bool) -> Answer:
    """One picture, from its file to an answer; what is wrong with it is part of the answer."""
    try:
        picture = source.open(WORKING_SIDE[digits])
        found = (
            find_digits(picture.colours)
            if digits == "many"
            else [find_digit(picture.colours, other_things=other_things)]
        )
    except PictureError as error:
        return Answer(source, None, (), str(error))
    logits = np.asarray(
        trained.logits(np.stack([digit.image for digit in found])), np.float64
    )  # (N, num_classes)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return Answer(
        source,
        picture,
        [Reading(digit, row) for digit, row in zip(found, probabilities, strict=True)],
    )


def as_json(answer: Answer, class_names: Sequence[str], top: int) -> dict[str, Any]:
    """What one picture adds to the JSON document; boxes are left, top, right, bottom in pixels of
    the upright picture."""
    if answer.problem or answer.picture is None:
        return {"picture": answer.source.name, "error": answer.problem}
    scale = answer.picture.scale
    digits = []
    for reading in answer.readings:
        box, ranked = reading.digit.box, reading.ranked()[:top]
        digits.append(
            {
                "class": class_names[ranked[0]],
                "probability": float(reading.probabilities[ranked[0]]),
                "top": [
                    {
                        "class": class_names[label],
                        "probability": float(reading.probabilities[label]),
                    }
                    for label in ranked
                ],
                "box": [round(side * scale) for side in (box.left, box.top, box.right, box.bottom)],
                "line": reading.digit.line,
            }
        )
    text, several = answer.text(class_names), answer.of_several
    return {"picture": answer.source.name, "text": text, "digits": digits} | (
        {"note": SEVERAL} if several else {}
    )


def print_answer(answer: Answer, class_names: Sequence[str], top: int, style: Style) -> None:
    """The classes of a single digit as bars; of several, a line for each of them."""
    width = max(len(name) for name in class_names)
    text = answer.text(class_names).replace("\n", " / ")
    print(f"{printable(answer.source.name)}: {text}")
    for number, reading in enumerate(answer.readings, start=1):
        ranked = reading.ranked()[:top]
        if len(answer.readings) > 1:
            others = ", ".join(
                f"{class_names[label]} {reading.probabilities[label]:.1%}" for label in ranked[1:]
            )
            share = float(reading.probabilities[ranked[0]])
            line = (
                f"  {number:>3}. {class_names[ranked[0]]:<{width}} {share:>6.1%}"
                f" {bar(share, style)}"
            )
            print(f"{line}  {others}".rstrip())
            continue
        for label in ranked:
            share = float(reading.probabilities[label])
            print(f"  {class_names[label]:<{width}} {share:>6.1%} {bar(share, style)}".rstrip())


def show(answer: Answer, class_names: Sequence[str], folder: Path, style: Style | None) -> None:
    """Draw what the network was shown, in the terminal where there is a style, and into PNG files.

    Raises:
        MachineError: the files cannot be written.
    """
    if style:
        print(shown_in_terminal([reading.digit.image for reading in answer.readings], style))
    if answer.picture is None:
        return
    names = [class_names[reading.ranked()[0]] for reading in answer.readings]
    written = write_seen(
        answer.picture,
        [reading.digit for reading in answer.readings],
        names,
        folder,
        Path(answer.source.name).stem,
    )
    if style:
        between = "and" if len(written) == 3 else "to"
        rest = f", {written[1]} {between} {written[-1].name}" if len(written) > 1 else ""
        print(f"  seen: {written[0]}{rest}")
