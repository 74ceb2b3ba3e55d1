"""The evaluation cards of several recipes, as a part of the report of their runs."""

from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.analysis.cards import CardComparison, OverSeeds, compare_cards
from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.report.read.card import Measure
from mnist_trainer.report.render.card_summary import published_text
from mnist_trainer.report.render.document import DASH, Block, Paragraph, Table

NOTE = (
    "In %, but for temperatures. Mean ± half of the 95 % interval over seeds (Student's t; a"
    " standard deviation below one image counts as one image); a single seed has none."
)


def card_blocks(groups: Sequence[Group]) -> list[Block]:
    """A row for each measure, a column for each recipe; nothing where no run has a card."""
    found = compare_cards(groups)
    if found is None:
        return []
    names = tuple(f"{each.name} (n = {len(each.runs)})" for each in found.recipes)
    rows = tuple(
        (
            each.part,
            each.name,
            *(_text(recipe.measures.get(each.key), each) for recipe in found.recipes),
            published_text(each),
        )
        for each in found.rows
    )
    columns = ("part", "measure", *names, "published")
    table = Table("Evaluation cards", columns, rows, frozenset(range(2, len(columns))), NOTE)
    return [table, *map(Paragraph, found.notes)]


def _text(found: OverSeeds | None, measure: Measure) -> str:
    if found is None:
        return DASH
    scale, digits = (100, 2) if measure.is_share else (1, 3)
    text = f"{scale * found.spread.mean:.{digits}f}"
    if found.interval is None:
        return text
    low, high = found.interval
    return f"{text} ± {scale * (high - low) / 2:.{digits}f}"


def card_values(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The same as plain values: an entry for each recipe that has cards."""
    found = compare_cards(groups)
    return [] if found is None else [_recipe(found, number) for number in range(len(found.recipes))]


def _recipe(found: CardComparison, number: int) -> dict[str, Any]:
    recipe = found.recipes[number]
    return {
        "recipe": recipe.name,
        "runs": [run.path for run in recipe.runs],
        "seeds": [run.seed for run in recipe.runs],
        "efforts": [card.text("effort") for card in recipe.cards],
        "measures": [
            {
                "part": part,
                "name": name,
                "values": list(over.values),
                "mean": over.spread.mean,
                "sd": over.spread.sd,
                "n": over.spread.n,
                "interval_95": over.interval and list(over.interval),
            }
            for (part, name), over in recipe.measures.items()
        ],
    }
