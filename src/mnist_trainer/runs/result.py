"""The result of a run: the content of result.json."""

import logging
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_trainer.errors import (
    DataError,
    DivergedError,
    ExitCode,
    InterruptedRunError,
    PrunedError,
    UserError,
)
from mnist_trainer.runs.read import read_json
from mnist_trainer.runs.record_layout import record_problem

if TYPE_CHECKING:
    # A command line is answered before torch is imported.
    from mnist_trainer.runs.metrics import Metrics


log = logging.getLogger(__name__)


class Status(StrEnum):
    """How far a run has come."""

    WAITING = "not started"
    COMPLETED = "completed"
    FAILED = "failed"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    PRUNED = "pruned"


@dataclass(frozen=True)
class Seconds:
    """Wall-clock times in seconds."""

    setup: float
    """From the start of the process or job to the first step; all are sums over sessions."""
    train: float
    eval: float
    total: float


@dataclass(frozen=True)
class Throughput:
    """How quick the training steps were, all sessions together."""

    images_per_second: float
    gflops: float | None
    """GFLOP/s of convolutions and linear layers; None where a step does more than one pass forward
    and one backward."""
    attainable_gflops: float | None
    """What the roofline of this machine allows; None where training was too short to tell, or not
    on this machine alone."""

    @property
    def share_of_roofline(self) -> float | None:
        if self.gflops is None or self.attainable_gflops is None:
            return None
        return self.gflops / self.attainable_gflops

    def as_json(self) -> dict[str, float | None]:
        """Plain values, in the layout of result.json."""
        share = self.share_of_roofline
        return {
            "images_per_second": round(self.images_per_second, 1),
            "gflops": self.gflops and round(self.gflops, 2),
            "attainable_gflops": self.attainable_gflops and round(self.attainable_gflops, 1),
            "share_of_roofline": share and round(share, 4),
        }


@dataclass(frozen=True)
class Timing:
    """How long a run took, and how quick its training steps were."""

    seconds: Seconds
    throughput: Throughput


@dataclass(frozen=True)
class Session:
    """What the last session of a run was started with."""

    seed: int
    resumed_from: str | None
    """Checkpoint and step that the session started from; None at the start of the run."""
    processes: int = 1
    views: int = 1
    """Shifted views of each test image that are averaged."""
    train_images: int | None = None
    """Images that were trained on."""


@dataclass(frozen=True)
class Result:
    """The result of a completed run."""

    test: "Metrics"
    validation: "Metrics | None"
    """Of the tested weights; None without validation images."""
    best_epoch: int | None
    tested_epoch: int
    """The epoch after which the tested weights were taken."""
    epochs: int
    """Epochs trained."""
    stopped_early: bool
    steps: int
    parameters: int
    timing: Timing
    weights_sha256: str
    """Of the tested weights."""
    last_weights_sha256: str
    """Of the weights after the last update."""
    session: Session

    def as_json(self) -> dict[str, Any]:
        """Plain values, in the layout of result.json."""
        return {
            "status": Status.COMPLETED,
            "test": scored(self.test),
            "validation": self.validation and scored(self.validation),
            "best": None if self.best_epoch is None else {"epoch": self.best_epoch},
            "tested_epoch": self.tested_epoch,
            "epochs": self.epochs,
            "stopped_early": self.stopped_early,
            "steps": self.steps,
            "seed": self.session.seed,
            "parameters": self.parameters,
            "seconds": {
                name: round(spent, 3) for name, spent in asdict(self.timing.seconds).items()
            },
            "throughput": self.timing.throughput.as_json(),
            "weights_sha256": self.weights_sha256,
            "last_weights_sha256": self.last_weights_sha256,
            "resumed_from": self.session.resumed_from,
            "processes": self.session.processes,
            "protocol": {
                "trained_on": self.session.train_images,
                "held_out": self.validation.count if self.validation else 0,
                "views": self.session.views,
            },
        }


def read_result(path: Path) -> dict[str, Any] | None:
    """Read a result.json, job.json or sweep.json; None where there is none, or it is not one.

    One that is there and is damaged is named in a warning, once.
    """
    if not path.exists():
        return None
    try:
        content = read_json(path)
    except DataError as error:
        _warn_once(f"{error} It is not used.")
        return None
    if problem := record_problem(content):
        _warn_once(f"{path}: {problem}. It is not used.")
        return None
    return dict(content)


@lru_cache(maxsize=100)
def _warn_once(message: str) -> None:
    log.warning(message)


def describe_failure(error: BaseException, seconds: float) -> dict[str, Any]:
    """The failure of a run, in the layout of result.json.

    Args:
        seconds: from its start to its end.
    """
    status = Status.FAILED
    if isinstance(error, DivergedError):
        status = Status.DIVERGED
    elif isinstance(error, InterruptedRunError):
        status = Status.INTERRUPTED
    message, exit_code = f"{type(error).__name__}: {error}", ExitCode.BUG
    if isinstance(error, UserError):
        message, exit_code = str(error), error.exit_code
    return {
        "status": status,
        "error": type(error).__name__,
        "message": message,
        "exit_code": int(exit_code),
        "seconds": {"total": round(seconds, 3)},
    }


def describe_pruned(error: PrunedError, seconds: float) -> dict[str, Any]:
    """How far a trial had come when it was pruned, in the layout of result.json."""
    validation: Any = error.validation
    return {
        "status": Status.PRUNED,
        "message": str(error),
        "exit_code": int(error.exit_code),
        "validation": scored(validation),
        "epochs": error.epoch,
        "seconds": {"total": round(seconds, 3)},
    }


def is_completed(path: Path) -> bool:
    """Whether there is a result.json of a completed run."""
    return (read_result(path) or {}).get("status") == Status.COMPLETED


def scored(metrics: "Metrics") -> dict[str, Any]:
    """Metrics with the 95 % interval of the accuracy."""
    from mnist_trainer.runs.metrics import wilson_interval

    low, high = wilson_interval(metrics.correct, metrics.count)
    return {
        "accuracy": metrics.accuracy,
        "accuracy_interval_95": [low, high],
        "loss": metrics.loss,
        "correct": metrics.correct,
        "images": metrics.count,
    }
