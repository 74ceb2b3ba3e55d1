"""What differs between two runs, for other programs: JSON, and CSV with a row per difference."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mnist_trainer.report.analysis.curves import Curves
from mnist_trainer.report.analysis.differences import Difference
from mnist_trainer.report.analysis.run_difference import (
    RunDifference,
    parts_sentence,
    verdict_of,
)
from mnist_trainer.report.read.records import shown
from mnist_trainer.report.render.data import csv_text, json_text, run_values
from mnist_trainer.runs.read import number

COLUMNS = ("part", "key", "a", "b")


def difference_csv(found: RunDifference) -> str:
    """A row for each difference; of a text that differs, whether the run has it."""
    parts = {
        "settings": found.settings,
        "environment": found.environment,
        "code": found.source,
        "results": found.results,
    }
    rows = [
        (part, each.key, *map(_cell, (each.a, each.b)))
        for part, differences in parts.items()
        for each in differences
    ]
    rows += [
        ("code", each.name, *("different" if each.where in (run, "both") else None for run in "AB"))
        for each in found.texts
    ]
    curves = found.curves
    if curves and curves.step is not None:
        rows.append(("results", "curves part at step", curves.step, curves.step))
        if curves.values:
            values = (None if value is None else value.hex() for value in curves.values)
            rows.append(("results", f"curves at step {curves.value_step}", *values))
    return csv_text(COLUMNS, rows)


def difference_json(found: RunDifference) -> str:
    return json_text(difference_values(found))


def difference_values(found: RunDifference) -> dict[str, Any]:
    """Everything that differs, whole; differences of numbers are B minus A."""
    verdict, sentence = verdict_of(found)
    return {
        "verdict": verdict,
        "sentences": [sentence, parts_sentence(found)],
        "a": run_values(found.a),
        "b": run_values(found.b),
        "settings": _listed(found.settings),
        "environment": _listed(found.environment),
        "code": {"differences": _listed(found.source), "texts": list(map(asdict, found.texts))},
        "results": {
            "same_weights": found.same_weights,
            "curves": found.curves and _curves(found.curves),
            "differences": _listed(found.results),
        },
        "not_recorded": {"a": found.not_recorded[0], "b": found.not_recorded[1]},
        "notes": found.notes,
    }


def _curves(curves: Curves) -> dict[str, Any]:
    values = curves.values or ()
    return {
        "source": curves.source,
        "last_steps": curves.last_steps,
        "same_until": curves.same_until,
        "parting_step": curves.step,
        "what": curves.what,
        "value_step": curves.value_step,
        "values": [number(value) for value in values],
        "hexadecimal": [None if value is None else value.hex() for value in values],
    }


def _listed(differences: Sequence[Difference]) -> list[dict[str, Any]]:
    return [_values(each) for each in differences]


def _values(each: Difference) -> dict[str, Any]:
    a, b = number(each.a), number(each.b)
    values = {"key": each.key, "a": _plain(each.a), "b": _plain(each.b)}
    if a is not None and b is not None:
        values["difference"] = number(b - a)
    return values if each.matters else {**values, "matters": False}


def _plain(value: Any) -> Any:
    """The value as JSON has it; what JSON lacks, such as NaN, as text."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    is_plain = value is None or isinstance(value, str | int)
    is_finite = isinstance(value, float) and math.isfinite(value)
    return value if is_plain or is_finite else str(value)


def _cell(value: Any) -> Any:
    return value if value is None or number(value) is not None else shown(value)
