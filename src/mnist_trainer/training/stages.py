"""What the stages of a run hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mnist_trainer.runs.metrics import Metrics


@dataclass(frozen=True)
class EvaluationImages:
    """Prepared images of one split, on the device."""

    images: Tensor
    """float32, (N, 1, 28, 28)."""
    labels: Tensor
    """int64, (N,)."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class EpochTraining:
    """What training for an epoch came to."""

    metrics: Metrics
    gradient_norm: float
    """Mean over the log points of the epoch."""
    seconds: float
    images: int


@dataclass(frozen=True)
class EvalMetrics:
    """What the weights at the end of an epoch were worth; None for a split that was not looked at."""

    validation: Metrics | None
    test: Metrics | None


@dataclass(frozen=True)
class ResumePoint:
    """Where a session of a run begins."""

    checkpoint: str | None
    """Name and step of the checkpoint that it goes on from."""
    step: int | None
    metrics_bytes: int
    """How much of metrics.jsonl that checkpoint vouches for."""
    seconds: Mapping[str, float]
    """What earlier sessions have spent, by purpose."""


FRESH_START = ResumePoint(checkpoint=None, step=None, metrics_bytes=0, seconds={})
