"""The metrics of a run by epoch, from metrics.jsonl. No torch here."""

import json
from pathlib import Path
from typing import Any

from mnist_trainer.runs.read import read_file

MAX_BYTES = 256 * 2**20


def read_history(path: Path) -> list[dict[str, Any]]:
    """One row an epoch: ``epoch``, ``step``, and the values of each split, such as ``train_loss``
    and ``validation_accuracy``. Lines that are damaged are left out.

    Raises:
        UnreadableFileError: the file is missing, or cannot be read.
    """
    rows: dict[int, dict[str, Any]] = {}
    for line in read_file(path, MAX_BYTES).splitlines():
        try:
            record = json.loads(line)
            kind, split, epoch = record.pop("kind"), record.pop("split"), int(record.pop("epoch"))
            step = int(record.pop("step"))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            continue
        if kind == "epoch":
            row = rows.setdefault(epoch, {"epoch": epoch, "step": step})
            named = ("learning_rate", "gradient_norm", "images_per_second")
            row.update(
                (name if name in named else f"{split}_{name}", value)
                for name, value in record.items()
                if value is None or isinstance(value, int | float)
            )
    return [rows[epoch] for epoch in sorted(rows)]
