"""The curves and maps that a card has the numbers for."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mnist_trainer.report.read.card import part
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render import card_plots
from mnist_trainer.report.render.document import Block, Picture

FIGURES: dict[str, tuple[str, str, Callable[[JsonValues, Any], None]]] = {
    "corruptions": (
        "corruptions",
        "Accuracy in % by strength; a ring marks the published one",
        card_plots.draw_corruptions,
    ),
    "attacks": ("attacks", "Accuracy under attack", card_plots.draw_attacks),
    "answered": ("unknown", "Accuracy by share answered", card_plots.draw_answered),
    "reliability": (
        "calibration",
        "Accuracy by probability, before and after temperature scaling",
        card_plots.draw_reliability,
    ),
    "shifts": ("shifts", "Accuracy over shifts", card_plots.draw_shifts),
    "rotations": ("shifts", "Accuracy over rotations and shifts", card_plots.draw_rotations),
}
"""Name to the part that it is of, caption, and what draws it."""
MAPS = {"shifts": ("shift_map", "offsets"), "rotations": ("rotation_map", "angles")}


def card_figures(card: JsonValues) -> dict[str, Callable[[Any], None]]:
    """The curves and maps that a card has the numbers for, by name."""
    return {
        name: partial(draw, card)
        for name, (of, _, draw) in FIGURES.items()
        if card.at("parts", of) and (name not in MAPS or _has_map(card, name))
    }


def _has_map(card: JsonValues, name: str) -> bool:
    return card_plots.drawable_map(part(card, "shifts"), *MAPS[name])


def figures_of(card: JsonValues, *names: str) -> list[Block]:
    """Figures by their names, as blocks."""
    drawn = card_figures(card)
    return [Picture(FIGURES[name][1], FIGURES[name][1], drawn[name]) for name in names]
