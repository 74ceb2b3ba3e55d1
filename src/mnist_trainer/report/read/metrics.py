"""Read metrics.jsonl, with notes on what is damaged."""

from pathlib import Path

from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.metric_records import MetricRecord, read_records
from mnist_trainer.runs.read import UnreadableFileError

MOST_NAMED = 5


def read_metrics(path: Path, notes: list[str]) -> list[MetricRecord]:
    """The records of metrics.jsonl; damaged lines are noted."""
    if not path.is_file():
        return []
    try:
        records, damaged = read_records(path)
    except UnreadableFileError as error:
        notes.append(str(error))
        return []
    if damaged:
        more = len(damaged) - MOST_NAMED
        lines = ", ".join(map(str, damaged[:MOST_NAMED])) + (
            f" and {more} more" if more > 0 else ""
        )
        notes.append(
            f"{display_path(path)}: cannot be read in line {lines}; these points are left out"
        )
    return records
