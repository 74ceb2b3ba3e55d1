"""Shipped records of recipes: the spread of their accuracy over seeds, and the seconds of a run.

``benchmarks/decide/make_spread.py`` writes ``spread.json`` from runs that were measured.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RecipeSpread:
    """A recipe as it was measured."""

    name: str
    """The choice of ``experiment=``, or else of ``model=``."""
    sd: float
    """Sample standard deviation of the validation accuracy, a share of the images."""
    seeds: int
    seconds: float
    """CPU seconds of a run with one thread."""
    work: float
    """Epochs times training images."""


@cache
def _shipped() -> Mapping[str, Any]:
    path = Path(__file__).with_name("spread.json")
    values: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def shipped_spread(experiment: str | None, model: str) -> RecipeSpread | None:
    """The record of an experiment, or of a model with the default settings; None where there is
    none."""
    recipes = _shipped()["recipes"]
    name = experiment or model
    return RecipeSpread(name, **recipes[name]) if name in recipes else None


def spread_provenance() -> str:
    """On what, when and with which version the records were measured, as a sentence."""
    return str(_shipped()["provenance"])
