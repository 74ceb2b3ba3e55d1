"""Read a run folder, whatever its state. No file in it is trusted."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_trainer.report.read.files import (
    below,
    read_json,
    read_record,
    read_text,
    read_yaml,
)
from mnist_trainer.report.read.metrics import read_metrics
from mnist_trainer.runs.checksums import changed_files
from mnist_trainer.runs.film import Film, read_film
from mnist_trainer.runs.folder import RunFolder, display_path
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions, read_predictions
from mnist_trainer.runs.read import flatten, number

RUNNING_SECONDS = 120
"""A run without a result that wrote something so recently counts as running."""
LOG_TAIL = 4096
MESSAGE_LIMIT = 300
LOG_HEAD = re.compile(r"^\S+ \S+ [A-Z]+ +[\w.]+: ")
"""Time, level and logger at the beginning of a line of train.log."""


@dataclass(frozen=True)
class SplitMetrics:
    """Final scores of a model on one split."""

    accuracy: float
    """Share of the images, 0 to 1."""
    loss: float | None
    correct: int
    images: int


@dataclass(frozen=True)
class RunRecord:
    """A run folder's content."""

    folder: RunFolder
    status: str
    """completed, failed, diverged, interrupted, running, not started or unreadable."""
    message: str
    """Why the run has no result; empty for a completed one."""
    config: Mapping[str, Any]
    """Dotted key to value, such as ``optimizer.lr``; empty where it cannot be read."""
    choices: Mapping[str, str]
    """Config group to chosen option, such as model to cnn."""
    overrides: Mapping[str, str]
    """Settings of the command line, key to value."""
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    test: SplitMetrics | None
    validation: SplitMetrics | None
    metrics: tuple[MetricRecord, ...]
    notes: tuple[str, ...] = field(default=())
    """Files and lines that could not be read."""

    @property
    def path(self) -> str:
        """The folder as a user types it."""
        return display_path(self.folder.path)

    @property
    def completed(self) -> bool:
        return self.status == "completed" and self.test is not None

    @property
    def seed(self) -> int | None:
        seed = self.config.get("seed", self.result.get("seed"))
        typed = self.overrides.get("seed", "")
        return seed if isinstance(seed, int) else int(typed) if typed.isdecimal() else None

    @property
    def weights(self) -> str | None:
        """Hash of the tested weights."""
        value = self.result.get("weights_sha256")
        return value if isinstance(value, str) else None

    @property
    def recipe(self) -> str:
        """Short name: the experiment, the configured name, or model and optimizer."""
        experiment, given = self.choices.get("experiment"), self.config.get("name")
        if experiment or given:
            return str(experiment or given)
        parts = [self.choices[group] for group in ("model", "optimizer") if group in self.choices]
        return "-".join(parts) or self.folder.path.name

    def seconds(self, purpose: str) -> float | None:
        """Wall-clock seconds of a purpose: setup, train, eval or total."""
        spent = self.result.get("seconds")
        return number(spent.get(purpose)) if isinstance(spent, dict) else None

    def config_text(self) -> str:
        """config.yaml as it stands; empty where it cannot be read."""
        return read_text(config_file(self.folder))

    def layers(self) -> Mapping[str, Any]:
        """Content of layers.json; empty where it cannot be read."""
        return read_json(self.folder.layers, []) or {}

    def evaluation(self) -> Mapping[str, Any]:
        """Content of evaluation.json, which mnist-eval writes; empty where it cannot be read."""
        return read_json(self.folder.evaluation, []) or {}

    def card(self) -> Mapping[str, Any]:
        """Content of evaluation-card.json, which mnist-eval writes; empty where it cannot be
        read."""
        return read_json(self.folder.card, []) or {}

    def predictions(self) -> Predictions | None:
        """The saved predictions on the test images; None where there are none.

        Raises:
            DataError: the file is damaged.
        """
        return read_predictions(self.folder.predictions)

    def film(self) -> Film | None:
        """The film of the training; None where none was kept.

        Raises:
            DataError: the file is damaged.
        """
        return read_film(self.folder.film)


def read_run(path: Path) -> RunRecord:
    """Read a run folder; what cannot be read is left out and noted."""
    folder, notes = RunFolder(path), list[str]()
    result = read_record(folder.result, notes)
    config = read_yaml(config_file(folder), notes)
    choices = below(read_yaml(path / ".hydra" / "hydra.yaml", notes), "hydra", "runtime", "choices")
    overrides = _by_key(read_yaml(path / ".hydra" / "overrides.yaml", notes))
    # A job of a sweep that failed before its configuration was composed has only job.json.
    settings = below(read_record(path / "job.json", notes), "settings")
    status, message = _status(folder, result, notes)
    notes += [
        change for change in changed_files(folder) if not change.startswith(tuple(_paths(notes)))
    ]
    return RunRecord(
        folder=folder,
        status=status,
        message=message,
        config=flatten(config if isinstance(config, dict) else {}),
        choices={
            str(group): choice
            for group, choice in choices.items()
            if isinstance(choice, str) and "/" not in str(group)
        },
        overrides=overrides or {str(key): shown(value) for key, value in settings.items()},
        environment=read_json(folder.environment, notes) or {},
        result=result or {},
        test=_score(below(result, "test")),
        validation=_score(below(result, "validation")),
        metrics=tuple(read_metrics(folder.metrics, notes)),
        notes=tuple(notes),
    )


def _paths(notes: list[str]) -> list[str]:
    """The files that the notes are about."""
    return [note.partition(": ")[0] for note in notes]


def config_file(folder: RunFolder) -> Path:
    """config.yaml; of a run that did not get that far, the one that Hydra wrote."""
    return folder.config if folder.config.is_file() else folder.path / ".hydra" / "config.yaml"


def shown(value: Any) -> str:
    """A value as one types it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace(" ", "") if isinstance(value, list | dict) else str(value)


def _by_key(words: Any) -> dict[str, str]:
    """Overrides by key; the last of a key counts."""
    words = words if isinstance(words, list) else []
    pairs = (word.partition("=") for word in words if isinstance(word, str))
    return {key.lstrip("+~"): value for key, _, value in pairs}


def _score(values: Mapping[Any, Any]) -> SplitMetrics | None:
    accuracy, correct, images, loss = (
        number(values.get(key)) for key in ("accuracy", "correct", "images", "loss")
    )
    if accuracy is None or correct is None or images is None:
        return None
    if not (0 <= accuracy <= 1 and 0 <= correct <= images > 0):
        return None
    return SplitMetrics(accuracy, loss, int(correct), int(images))


def _status(
    folder: RunFolder, result: Mapping[str, Any] | None, notes: list[str]
) -> tuple[str, str]:
    """Status and message of the run."""
    if result is not None:
        return _status_of_result(folder, result)
    if folder.result.exists():
        return "unreadable", notes[0] if notes else ""
    written = [path.stat().st_mtime for path in (folder.metrics, folder.log) if path.is_file()]
    if not written:
        return "not started", ""
    idle = time.time() - max(written)
    if abs(idle) < RUNNING_SECONDS:  # Far below 0 where the clock was set back since.
        return "running", f"written to {max(0, idle):.0f} s ago"
    last = read_text(folder.log)[-LOG_TAIL:].strip().rpartition("\n")[2]
    return "interrupted", LOG_HEAD.sub("", last)[:MESSAGE_LIMIT]


def _status_of_result(folder: RunFolder, result: Mapping[str, Any]) -> tuple[str, str]:
    status = str(result.get("status", "unknown"))
    if status == "completed":
        if _score(below(result, "test")) is None:
            return "unreadable", f"{display_path(folder.result)}: holds no test accuracy"
        return status, ""
    said = next((result[key] for key in ("message", "error", "reason") if result.get(key)), "")
    if isinstance(said, dict):
        said = said.get("message") or said.get("text") or json.dumps(said)
    return status, str(said)[:MESSAGE_LIMIT]
