"""A run as its folder tells it, whatever became of it. Nothing in the folder is trusted to be what
it should be."""

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mnist_trainer.runs.folder import RunFolder, display_path
from mnist_trainer.runs.predictions import Predictions, read_predictions

RUNNING_SECONDS = 120
"""A run without a result that has written something since then is taken to be running."""
LOG_TAIL = 4096
MESSAGE_LIMIT = 300
LOG_HEAD = re.compile(r"^\S+ \S+ [A-Z]+ +[\w.]+: ")
"""Time, level and place of a line of train.log."""


@dataclass(frozen=True)
class SplitMetrics:
    """What a model was worth on one split."""

    accuracy: float
    """Share of the images, 0 to 1."""
    loss: float | None
    correct: int
    images: int


@dataclass(frozen=True)
class Point:
    """A line of metrics.jsonl: a measurement of one split, after so many updates."""

    kind: str
    """interval, epoch or final."""
    split: str
    epoch: int
    step: int
    loss: float | None
    accuracy: float | None


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run."""

    folder: RunFolder
    status: str
    """completed, or what else became of it."""
    message: str
    """Why it has no result; empty where it has."""
    config: Mapping[str, Any]
    """Flat: ``optimizer.lr`` to its value. Empty where there is none that can be read."""
    config_text: str
    choices: Mapping[str, str]
    """Group to the option that was chosen, such as model to cnn."""
    overrides: Mapping[str, str]
    """What was typed: key to value."""
    environment: Mapping[str, Any]
    result: Mapping[str, Any]
    test: SplitMetrics | None
    validation: SplitMetrics | None
    points: tuple[Point, ...]
    notes: tuple[str, ...] = field(default=())
    """What could not be read."""

    @property
    def path(self) -> str:
        """The folder as a user would type it."""
        return display_path(self.folder.path)

    @property
    def name(self) -> str:
        return self.folder.path.name

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
        """Short name of what was trained."""
        experiment, given = self.choices.get("experiment"), self.config.get("name")
        if experiment or given:
            return str(experiment or given)
        parts = [self.choices[group] for group in ("model", "optimizer") if group in self.choices]
        return "-".join(parts) or self.name

    def seconds(self, purpose: str) -> float | None:
        """Wall-clock time spent on setup, train or eval, or in total."""
        spent = self.result.get("seconds")
        return number(spent.get(purpose)) if isinstance(spent, dict) else None

    def predictions(self) -> Predictions | None:
        """The answer to each test image; None where none were saved.

        Raises:
            DataError: the file is damaged.
        """
        return read_predictions(self.folder.predictions)


def number(value: object) -> float | None:
    """The value where it is a finite number."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits and isinstance(value, int | float) else None


def read_run(path: Path) -> RunRecord:
    """The record of a run; what cannot be read is left out, and named in its notes."""
    folder, notes = RunFolder(path), list[str]()
    result = _read_json(folder.result, notes)
    config_path = folder.config if folder.config.is_file() else path / ".hydra" / "config.yaml"
    config = _read_yaml(config_path, notes)
    hydra = _read_yaml(path / ".hydra" / "hydra.yaml", notes)
    words = _read_yaml(path / ".hydra" / "overrides.yaml", notes)
    job = _read_json(path / "job.json", notes)
    chosen = _below(hydra, "hydra", "runtime", "choices")
    status, message = _status(folder, result, notes)
    return RunRecord(
        folder=folder,
        status=status,
        message=message,
        config=flatten(config if isinstance(config, dict) else {}),
        config_text=_text(config_path),
        choices={
            str(group): choice
            for group, choice in chosen.items()
            if isinstance(choice, str) and "/" not in str(group)
        },
        # A job of a sweep that failed before it was composed has only what the sweep noted of it.
        overrides=_split_words(words)
        or {str(key): shown(value) for key, value in _below(job, "settings").items()},
        environment=_read_json(folder.environment, notes) or {},
        result=result or {},
        test=_score(_below(result, "test")),
        validation=_score(_below(result, "validation")),
        points=tuple(_read_points(folder.metrics, notes)),
        notes=tuple(notes),
    )


def shown(value: Any) -> str:
    """A value as one types it on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace(" ", "") if isinstance(value, list | dict) else str(value)


def flatten(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, whose keys have dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{name}.")
        else:
            flat[name] = value
    return flat


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _read_json(path: Path, notes: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        notes.append(f"{display_path(path)}: cannot be read: {error}")
        return None
    if not isinstance(content, dict):
        notes.append(f"{display_path(path)}: holds no JSON object")
        return None
    return content


def _read_yaml(path: Path, notes: list[str]) -> Any:
    if not path.is_file():
        return None
    try:
        text, loader = (
            path.read_text(encoding="utf-8"),
            getattr(yaml, "CSafeLoader", yaml.SafeLoader),
        )
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=loader)):
            raise ValueError("it holds aliases, by which a small file becomes a huge one")
        # The loader of plain values: no tag makes it build anything else.
        return yaml.load(text, loader)  # noqa: S506
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        notes.append(f"{display_path(path)}: cannot be read: {str(error).splitlines()[0]}")
        return None


def _below(values: Any, *keys: str) -> dict[Any, Any]:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values if isinstance(values, dict) else {}


def _split_words(words: Any) -> dict[str, str]:
    """Overrides by their keys; the last word on a key counts."""
    pairs = (
        [word.partition("=") for word in words if isinstance(word, str)]
        if isinstance(words, list)
        else []
    )
    return {key.lstrip("+~"): value for key, _, value in pairs}


def _score(values: Mapping[Any, Any]) -> SplitMetrics | None:
    accuracy, correct, images = (
        number(values.get(key)) for key in ("accuracy", "correct", "images")
    )
    if (
        accuracy is None
        or correct is None
        or images is None
        or not (0 <= accuracy <= 1 and 0 <= correct <= images > 0)
    ):
        return None
    return SplitMetrics(accuracy, number(values.get("loss")), int(correct), int(images))


def _status(
    folder: RunFolder, result: Mapping[str, Any] | None, notes: list[str]
) -> tuple[str, str]:
    """What became of the run, and why."""
    if result is None and folder.result.is_file():
        return "unreadable", notes[0] if notes else ""
    if result is not None:
        status = str(result.get("status", "unknown"))
        said = next((result[key] for key in ("message", "error", "reason") if result.get(key)), "")
        if isinstance(said, dict):
            said = said.get("message") or said.get("text") or json.dumps(said)
        if status == "completed" and _score(_below(result, "test")) is None:
            return "unreadable", f"{display_path(folder.result)}: holds no test accuracy"
        return status, str(said)[:MESSAGE_LIMIT] if status != "completed" else ""
    written = [path.stat().st_mtime for path in (folder.metrics, folder.log) if path.is_file()]
    if not written:
        return "not started", ""
    idle = time.time() - max(written)
    if idle < RUNNING_SECONDS:
        return "running", f"written to {max(0, idle):.0f} s ago"
    return "interrupted", _last_line(folder.log)


def _last_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_TAIL))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return LOG_HEAD.sub("", last)[:MESSAGE_LIMIT]


def _read_points(path: Path, notes: list[str]) -> list[Point]:
    """The points of metrics.jsonl; a torn last line is what a kill leaves, other damage is noted."""
    if not path.is_file():
        return []
    points, damaged = [], []
    with path.open(encoding="utf-8", errors="replace") as file:
        for index, line in enumerate(file, start=1):
            try:
                points.append(_point(json.loads(line)))
            except (ValueError, TypeError, AttributeError, RecursionError):
                if line.endswith("\n") and line.strip():
                    damaged.append(str(index))
    if damaged:
        shown = ", ".join(damaged[:5]) + (
            f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        )
        notes.append(
            f"{display_path(path)}: cannot be read in line {shown}; these points are left out"
        )
    return points


def _point(values: Any) -> Point:
    epoch, step = number(values.get("epoch")), number(values.get("step"))
    if epoch is None or step is None:
        raise ValueError("a point without its epoch or step")
    kind, split = str(values.get("kind")), str(values.get("split"))
    return Point(
        kind,
        split,
        int(epoch),
        int(step),
        number(values.get("loss")),
        number(values.get("accuracy")),
    )
