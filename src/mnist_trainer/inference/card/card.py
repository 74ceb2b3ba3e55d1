"""The evaluation card of a network: all parts, one after the other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_trainer.inference.card import calibration, clean, corruptions, qmnist, shifts, unknown
from mnist_trainer.inference.card.attacks import score_attacks
from mnist_trainer.inference.card.parts import Effort
from mnist_trainer.inference.card.pictures import Pixels, contact_sheet, example_sheet, tile
from mnist_trainer.inference.card.published import FGSM_AT_0_3, PGD_AT_0_3
from mnist_trainer.inference.card.subject import Begin, Subject
from mnist_trainer.inference.scoring.evaluation_result import data_settings, load_split
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.runs.folder import display_path

FORMAT = "mnist-eval card 1"
Found = tuple[dict[str, Any], dict[str, Pixels]]


@dataclass(frozen=True)
class Card:
    """What was found."""

    values: dict[str, Any]
    """The content of evaluation-card.json."""
    pictures: dict[str, Pixels]
    """uint8, (H, W) or (H, W, 3), by name."""


def make_card(
    trained: TrainedModel,
    effort: Effort,
    parts: Sequence[str],
    begin: Callable[[str, int], None],
    data_root: str | None = None,
) -> Card:
    """Score a network in the parts that are asked for.

    Args:
        begin: is told each step as it begins: its name, and of how many it is one.

    Raises:
        ConfigError: the data do not fit the network.
        DataError: the data cannot be read.
    """
    settings = data_settings(trained, None, data_root)
    _, test = load_split(trained, settings, "test")
    subject = Subject(trained, settings, test, effort)
    total = sum(SCORERS[part].steps for part in parts)
    values: dict[str, Any] = {}
    pictures: dict[str, Pixels] = {}
    seconds: dict[str, float] = {}
    for part in parts:
        begun = time.monotonic()
        values[part], drawn = SCORERS[part].score(subject, lambda name: begin(name, total))
        seconds[part] = round(time.monotonic() - begun, 3)
        pictures |= drawn
    return Card({**_heading(subject), "seconds": seconds, "parts": values}, pictures)


def _heading(subject: Subject) -> dict[str, Any]:
    """What a card is of."""
    trained, checkpoint = subject.trained, subject.trained.checkpoint
    return {
        "format": FORMAT,
        "effort": subject.effort.name,
        "seed": subject.seed,
        "run": str(trained.folder) if trained.folder else None,
        "recipe": trained.config.label,
        "checkpoint": {
            "file": display_path(checkpoint.path),
            "epoch": checkpoint.epoch,
            "step": checkpoint.step,
            "weights_sha256": checkpoint.sha256,
        },
        "device": trained.device.type,
        "precision": trained.device.precision,
        "translations": trained.translations,
        "data": subject.settings.name,
    }


@dataclass(frozen=True)
class Scorer:
    """A part of the card."""

    score: Callable[[Subject, Begin], Found]
    steps: int


def _plain(score: Callable[[Subject, Begin], dict[str, Any]]) -> Callable[[Subject, Begin], Found]:
    """A part without pictures."""
    return lambda subject, begin: (score(subject, begin), {})


def _corruptions(subject: Subject, begin: Begin) -> Found:
    values = corruptions.score_corruptions(subject, begin)
    return values, {"contact_sheet": contact_sheet(subject)}


def _unknown(subject: Subject, begin: Begin) -> Found:
    values, shown = unknown.score_unknown(subject, begin)
    return values, {"not_digits": tile(shown)}


def _attacks(subject: Subject, begin: Begin) -> Found:
    begin("attacks")
    effort = subject.effort
    images = subject.spaced(effort.attacked)
    scores = score_attacks(
        subject.trained,
        images.images,
        images.labels,
        epsilons=effort.epsilons,
        steps=effort.steps,
        restarts=effort.restarts,
        seed=subject.seed,
    )
    names = subject.trained.class_names
    examples = [
        {"label": names[each.label], "predicted": names[each.predicted], "epsilon": each.epsilon}
        for each in scores.examples
    ]
    values = {
        **scores.as_json(),
        "examples": examples,
        "published": {"fgsm": FGSM_AT_0_3, "pgd": PGD_AT_0_3},
    }
    sheet = example_sheet(scores.examples)
    return values, {} if sheet is None else {"attacked": sheet}


SCORERS: Mapping[str, Scorer] = {
    "clean": Scorer(_plain(clean.score_clean), clean.STEPS),
    "qmnist": Scorer(_plain(qmnist.score_qmnist), qmnist.STEPS),
    "corruptions": Scorer(_corruptions, corruptions.STEPS),
    "attacks": Scorer(_attacks, 1),
    "unknown": Scorer(_unknown, unknown.STEPS),
    "calibration": Scorer(_plain(calibration.score_calibration), calibration.STEPS),
    "shifts": Scorer(_plain(shifts.score_shifts), shifts.STEPS),
}
"""By name, in the order of ``parts.PARTS``."""
