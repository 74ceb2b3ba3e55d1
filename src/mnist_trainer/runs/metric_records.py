"""metrics.jsonl: the metrics of a run, one record a line. No torch here."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.runs.read import number, parse_json, read_file

MAX_BYTES = 256 * 2**20
NOT_OF_A_SPLIT = ("learning_rate", "gradient_norm", "images_per_second")


@dataclass(frozen=True)
class MetricRecord:
    """One line of metrics.jsonl."""

    kind: str
    """interval (since the last log point), epoch, or final."""
    split: str
    epoch: int
    step: int
    """Updates made so far."""
    values: Mapping[str, float | None]

    @property
    def loss(self) -> float | None:
        return self.values.get("loss")

    @property
    def accuracy(self) -> float | None:
        """Share of the images, 0 to 1."""
        return self.values.get("accuracy")

    def as_json(self) -> str:
        head = {"kind": self.kind, "split": self.split, "epoch": self.epoch, "step": self.step}
        return json.dumps({**head, **self.values}, allow_nan=False)


def read_records(path: Path) -> tuple[list[MetricRecord], list[int]]:
    """The records, and the numbers of the lines that are damaged; a torn last line, which a kill
    leaves, is neither.

    Raises:
        UnreadableFileError: the file is missing, or cannot be read.
    """
    records, damaged = [], []
    *lines, torn = read_file(path, MAX_BYTES).decode("utf-8", "replace").split("\n")
    for index, line in enumerate([*lines, torn], start=1):
        try:
            records.append(_record(parse_json(line)))
        except (ValueError, TypeError, AttributeError):
            if line.strip() and index <= len(lines):
                damaged.append(index)
    return records, damaged


def by_epoch(records: Iterable[MetricRecord]) -> list[dict[str, Any]]:
    """One row an epoch: ``epoch``, ``step``, and the values of each split, such as ``train_loss``
    and ``validation_accuracy``."""
    rows: dict[int, dict[str, Any]] = {}
    for record in records:
        if record.kind == "epoch":
            row = rows.setdefault(record.epoch, {"epoch": record.epoch, "step": record.step})
            for name, value in record.values.items():
                row[name if name in NOT_OF_A_SPLIT else f"{record.split}_{name}"] = value
    return [rows[epoch] for epoch in sorted(rows)]


def _record(line: Any) -> MetricRecord:
    values = {str(name): number(value) for name, value in line.items()}
    kind, split = str(line.get("kind")), str(line.get("split"))
    epoch, step = values.pop("epoch", None), values.pop("step", None)
    if epoch is None or step is None:
        raise ValueError("a record without its epoch or step")
    measured = {name: value for name, value in values.items() if name not in ("kind", "split")}
    return MetricRecord(kind, split, int(epoch), int(step), measured)
