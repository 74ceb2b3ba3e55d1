"""``decision.json`` of a sweep that adds seeds until it is decided: its rule, and every look."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mnist_trainer.report.analysis.sequential import Look, StoppingRule, Verdict
from mnist_trainer.report.read.files import read_json
from mnist_trainer.report.render.document import clean
from mnist_trainer.runs.read import number
from mnist_trainer.system.files import write_json

DECISION = "decision.json"
"""Its name, in the folder of the sweep."""


@dataclass(frozen=True)
class Decision:
    """A comparison of recipes with the first of them, as far as it has come."""

    rule: StoppingRule
    recipes: tuple[str, ...]
    """What sets each apart; the first is what the others are compared with."""
    first_seed: int
    rounds: tuple[Mapping[int, Look], ...] = field(default=())
    """Of each look that was taken: the place of a recipe to its comparison with the first."""

    @property
    def latest(self) -> dict[int, Look]:
        """The last look at each recipe."""
        return {place: each for looks in self.rounds for place, each in looks.items()}

    def with_round(self, looks: Mapping[int, Look]) -> "Decision":
        return replace(self, rounds=(*self.rounds, looks))

    def as_json(self) -> dict[str, Any]:
        return {
            "metric": "validation accuracy",
            "width": self.rule.width,
            "first_seed": self.first_seed,
            "looks": self.rule.looks,
            "confidence_of_a_look": self.rule.confidence,
            "recipes": self.recipes,
            "rounds": [
                [{"recipe": place, **asdict(each)} for place, each in looks.items()]
                for looks in self.rounds
            ],
        }


def write_decision(decision: Decision, sweep: Path) -> None:
    """Write ``decision.json`` into the folder of a sweep."""
    write_json(sweep / DECISION, decision.as_json())


def read_decision(sweep: Path, notes: list[str]) -> Decision | None:
    """The decision in the folder of a sweep; None where there is none, with a note where it cannot
    be read."""
    values = read_json(sweep / DECISION, notes)
    if values is None:
        return None
    try:
        recipes = tuple(clean(name)[:300] for name in values["recipes"])
        looks = tuple(int(each) for each in values["looks"])
        if len(recipes) < 2 or not looks:
            raise ValueError("no comparison")
        rule = StoppingRule(float(values["width"]), looks, len(recipes) - 1)
        rounds = tuple(
            {int(entry["recipe"]): _look(entry, len(recipes)) for entry in entries}
            for entries in values["rounds"]
        )
        return Decision(rule, recipes, int(values["first_seed"]), rounds)
    except (KeyError, TypeError, ValueError):
        notes.append(f"{DECISION}: cannot be read: no record of a decision")
        return None


def _look(entry: Mapping[str, Any], num_recipes: int) -> Look:
    if not 0 < int(entry["recipe"]) < num_recipes:
        raise ValueError("a recipe that is not one of the sweep")
    value, low, high = (number(entry.get(name)) for name in ("value", "low", "high"))
    return Look(int(entry["seeds"]), value, low, high, Verdict(str(entry["verdict"])))
