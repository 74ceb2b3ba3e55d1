"""Evaluation cards of several recipes beside each other, with intervals over seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.report.analysis.statistics import Spread, mean_interval, spread
from mnist_trainer.report.read.card import Measure, card_of, measures
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.read.records import RunRecord


@dataclass(frozen=True)
class OverSeeds:
    """A measure of one recipe."""

    values: tuple[float, ...]
    """One for each seed."""
    spread: Spread
    interval: tuple[float, float] | None
    """95 %, of the mean over seeds; None for a single seed."""


@dataclass(frozen=True)
class RecipeCards:
    """The cards of one recipe."""

    name: str
    runs: tuple[RunRecord, ...]
    """Those that have a card."""
    cards: tuple[JsonValues, ...]
    measures: dict[tuple[str, str], OverSeeds]
    """By part and name; what every one of the cards has."""


@dataclass(frozen=True)
class CardComparison:
    """All recipes that have cards."""

    recipes: tuple[RecipeCards, ...]
    rows: tuple[Measure, ...]
    """Each measure that some recipe has, once, in the order of the cards."""
    notes: tuple[str, ...]

    @property
    def num_runs(self) -> int:
        return sum(len(recipe.runs) for recipe in self.recipes)


def compare_cards(groups: Sequence[Group]) -> CardComparison | None:
    """The cards of groups of runs; None where no run has one."""
    recipes = [found for group in groups if (found := recipe_cards(group))]
    if not recipes:
        return None
    cards = [card for recipe in recipes for card in recipe.cards]
    kept = {key for recipe in recipes for key in recipe.measures}
    rows = {each.key: each for card in reversed(cards) for each in measures(card)}
    # In the order of the card that has the most.
    order = [each.key for each in max(map(measures, cards), key=len)]
    order += [key for key in rows if key not in order]
    ordered = tuple(rows[key] for key in order if key in kept)
    return CardComparison(tuple(recipes), ordered, tuple(_notes(groups, cards)))


def recipe_cards(group: Group) -> RecipeCards | None:
    """The cards of the runs of a recipe; None where none has one."""
    pairs = [(run, card) for run in group.completed if (card := card_of(run))]
    if not pairs:
        return None
    runs, cards = zip(*pairs, strict=True)
    by_card = [{each.key: each for each in measures(card)} for card in cards]
    common = [key for key in by_card[0] if all(key in each for each in by_card)]
    found = {key: over_seeds([each[key] for each in by_card]) for key in common}
    return RecipeCards(group.label, runs, cards, found)


def over_seeds(found: Sequence[Measure]) -> OverSeeds:
    """Mean and interval of a measure over seeds.

    Args:
        found: at least one.
    """
    values = tuple(each.value for each in found)
    images = [each.images for each in found if each.images]
    resolution = 1 / min(images) if images else 0.0
    interval = mean_interval(values, resolution) if len(values) > 1 else None
    over = spread(values) or Spread(values[0], None, 1)
    return OverSeeds(values, over, interval)


def _notes(groups: Sequence[Group], cards: Sequence[JsonValues]) -> list[str]:
    """What makes cards differ besides their networks, and which runs have none."""
    notes = []
    if len({card.text("effort") for card in cards}) > 1:
        notes.append(
            "Some cards are quick and some are full: they are of other images and of other attacks."
            " Make all of them alike: mnist-eval RUN --card"
        )
    if len({card.text("data") for card in cards}) > 1:
        notes.append("These cards are of different data sets.")
    completed = sum(len(group.completed) for group in groups)
    if missing := completed - len(cards):
        notes.append(f"Without a card of the weights that were tested: {missing} of {completed}.")
    return notes
