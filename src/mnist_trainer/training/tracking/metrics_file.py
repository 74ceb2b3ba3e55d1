"""metrics.jsonl: the metrics of a run, one record a line."""

import os
from pathlib import Path

from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.training.tracking.tracker import Tracker, disk_failures


class MetricsFile(Tracker):
    """metrics.jsonl: the source of truth."""

    def __init__(self, path: Path, kept_bytes: int = 0) -> None:
        """Args:
        kept_bytes: how much of an existing file belongs to the checkpoint that is resumed; the
            rest is cut off, because it is going to be written again.
        """
        self.path = path
        if path.exists():
            os.truncate(path, min(kept_bytes, path.stat().st_size))
        # Line by line, so that a concurrent reader sees whole lines.
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, record: MetricRecord) -> None:
        line = record.as_json() + "\n"
        with disk_failures(self.path, len(line)):
            self.file.write(line)

    def flush(self) -> int:
        self.file.flush()
        os.fsync(self.file.fileno())
        return self.file.tell()

    def close(self) -> None:
        self.file.close()
