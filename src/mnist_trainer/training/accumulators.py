"""Sums of loss and right answers, kept until somebody asks."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from mnist_trainer.runs.metrics import Metrics

MOST_NOTED = 64
"""Batches that are kept at most: what they hold does not grow with the log interval. The labels of
a batch that a worker has loaded hold an open file."""


@dataclass(frozen=True)
class BatchPredictions:
    """What a model took some images for, and what would have been right."""

    predicted: Tensor
    """int64, (N,): the class of the largest logit."""
    labels: Tensor
    """int64, (N,)."""

    @classmethod
    def of(cls, logits: Tensor, labels: Tensor) -> Self:
        """From logits (N, C), which may be overwritten afterwards."""
        return cls(logits.argmax(dim=1), labels)

    def count(self) -> Tensor:
        """How many are right: a scalar on the device."""
        return (self.predicted == self.labels).sum()


class MetricAccumulator:
    """Sums on the device: to add never waits for it, to read waits once."""

    def __init__(self, device: torch.device) -> None:
        # MPS has no float64; a million float32 additions would lose digits that the CPU and CUDA
        # can keep.
        self.loss_sum = torch.zeros(
            (), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64
        )
        self.correct = torch.zeros((), device=device, dtype=torch.int64)
        self.count = 0

    def add(self, loss: Tensor, right: BatchPredictions | Tensor, count: int) -> None:
        """Add a batch.

        Args:
            loss: its mean loss, a scalar.
            right: the answers to its images, or how many were right, a scalar.
            count: how many images it has.
        """
        self.accumulate(loss, right, count)
        self.count += count

    def accumulate(self, loss: Tensor, right: BatchPredictions | Tensor, count: int) -> None:
        """The part of ``add`` that the device does, and a graph can repeat: all but counting the
        images."""
        self.loss_sum.add_(loss, alpha=count)
        self.correct.add_(right.count() if isinstance(right, BatchPredictions) else right)

    def settle(self) -> None:
        """Bring the sums up to date."""

    def merge(self, other: "MetricAccumulator") -> None:
        """Add all that another meter has seen."""
        self.settle()
        other.settle()
        self.loss_sum.add_(other.loss_sum)
        self.correct.add_(other.correct)
        self.count += other.count

    def reset(self) -> None:
        """Begin anew."""
        self.loss_sum.zero_()
        self.correct.zero_()
        self.count = 0

    def state_dict(self) -> dict[str, float | int]:
        self.settle()
        return {"loss_sum": float(self.loss_sum), "correct": int(self.correct), "count": self.count}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.loss_sum.fill_(state["loss_sum"])
        self.correct.fill_(state["correct"])
        self.count = int(state["count"])

    def read(self) -> Metrics:
        """The metrics so far; waits for the device."""
        self.settle()
        return Metrics(float(self.loss_sum) / max(1, self.count), int(self.correct), self.count)


class DeferredAccumulator(MetricAccumulator):
    """The same for the CPU, where a batch is only noted, and all are counted at once when somebody
    asks.

    To count one batch takes two operations, about 1 % of a step.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.noted: list[tuple[Tensor, BatchPredictions | Tensor, int]] = []

    def accumulate(self, loss: Tensor, right: BatchPredictions | Tensor, count: int) -> None:
        self.noted.append((loss, right, count))
        if len(self.noted) >= MOST_NOTED:
            self.settle()

    def settle(self) -> None:
        if not self.noted:
            return
        losses, rights, counts = zip(*self.noted, strict=True)
        self.noted.clear()
        total = float(self.loss_sum)
        # One after the other: the sum is the same to the last bit whenever it is taken.
        for loss, count in zip(torch.stack(losses).tolist(), counts, strict=True):
            total += loss * count
        self.loss_sum.fill_(total)
        if answers := [right for right in rights if isinstance(right, BatchPredictions)]:
            together = BatchPredictions(
                torch.cat([each.predicted for each in answers]),
                torch.cat([each.labels for each in answers]),
            )
            self.correct.add_(together.count())
        if counted := [right for right in rights if isinstance(right, Tensor)]:
            self.correct.add_(torch.stack(counted).sum())

    def reset(self) -> None:
        self.noted.clear()
        super().reset()

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.noted.clear()
        super().load_state_dict(state)


def make_accumulator(device: torch.device) -> MetricAccumulator:
    """The meter that suits a device."""
    return DeferredAccumulator(device) if device.type == "cpu" else MetricAccumulator(device)
