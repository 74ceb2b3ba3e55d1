"""What a measurement came to, with all that one needs to judge it, as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from benchmarks.timing import Summary, paired_ratio

RESULTS = Path(__file__).parent / "results"

Unit = Literal["seconds", "accuracy"]


@dataclass(frozen=True)
class Case:
    """One thing that was measured for several ways side by side."""

    name: str
    unit: Unit
    ways: Mapping[str, Sequence[float]]
    """Name of a way to its value in each round."""
    compared: Sequence[tuple[str, str]] = ()
    """Pairs of ways whose ratio is of interest."""

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ways": {way: Summary(tuple(values)).as_json() for way, values in self.ways.items()},
            "ratios": {
                f"{above} / {below}": paired_ratio(self.ways[above], self.ways[below]).as_json()
                for above, below in self.compared
            },
        }


class UnavailableError(Exception):
    """A measurement cannot be made here; the message says why."""


@dataclass(frozen=True)
class Report:
    """A measurement as a whole: one file of results, one table."""

    name: str
    method: str
    """Sentences for the reader: what ran, in which turns, scaled to what."""
    cases: Sequence[Case]
    details: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else a reader may want to check."""

    def as_json(self, environment: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": self.name,
            "method": self.method,
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "environment": dict(environment),
            "details": dict(self.details),
            "cases": [case.as_json() for case in self.cases],
        }


def write_report(content: Mapping[str, Any], folder: Path) -> Path:
    """Keep a report as JSON under its name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{content['name']}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_reports(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """All reports that were kept, by name."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }
