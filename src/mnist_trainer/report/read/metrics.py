"""Read metrics.jsonl, one measurement per line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.report.read.files import number
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.read import parse_json

MOST_NAMED = 5


@dataclass(frozen=True)
class MetricRecord:
    """A line of metrics.jsonl: loss and accuracy on one split after so many updates."""

    kind: str
    """interval, epoch or final."""
    split: str
    epoch: int
    step: int
    loss: float | None
    accuracy: float | None


def read_metrics(path: Path, notes: list[str]) -> list[MetricRecord]:
    """The records of metrics.jsonl; damaged lines are noted, except a torn last one, which a kill
    leaves."""
    if not path.is_file():
        return []
    records, damaged = [], []
    with path.open(encoding="utf-8", errors="replace") as file:
        for index, line in enumerate(file, start=1):
            try:
                records.append(_record(parse_json(line)))
            except (ValueError, TypeError, AttributeError):
                if line.endswith("\n") and line.strip():
                    damaged.append(str(index))
    if damaged:
        more = len(damaged) - MOST_NAMED
        lines = ", ".join(damaged[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        notes.append(
            f"{display_path(path)}: cannot be read in line {lines}; these points are left out"
        )
    return records


def _record(values: Any) -> MetricRecord:
    epoch, step = number(values.get("epoch")), number(values.get("step"))
    if epoch is None or step is None:
        raise ValueError("a record without its epoch or step")
    scores = (number(values.get(name)) for name in ("loss", "accuracy"))
    return MetricRecord(
        str(values.get("kind")), str(values.get("split")), int(epoch), int(step), *scores
    )
