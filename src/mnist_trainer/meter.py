"""Sums of loss and right answers, kept until somebody asks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mnist_trainer.metrics import Metrics

MOST_NOTED = 256
"""Batches that are kept at most: what they hold in memory does not grow with the log interval."""


@dataclass(frozen=True)
class Answers:
    """What a model said of some images, and what would have been right."""

    logits: Tensor
    """(N, C), of no graph."""
    labels: Tensor
    """(N,)."""

    def count(self) -> Tensor:
        """How many are right: a scalar on the device."""
        return count_correct(self.logits, self.labels)


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """How many rows of logits (N, C) are largest at their label (N,): a scalar on the device."""
    return (logits.argmax(dim=1) == labels).sum()


class Meter:
    """Sums that cost a step as little as they can: to add never waits for the device, to read waits once.

    On the CPU a batch is only noted, and all are counted at once when somebody asks: the counting of one batch takes
    three operations, which are 1 to 2 % of a step. Elsewhere operations are queued, or recorded in a graph, and every
    batch is counted where it is.
    """

    def __init__(self, device: torch.device) -> None:
        # MPS has no float64; a million float32 additions would lose digits that the CPU and CUDA can keep.
        self.loss_sum = torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
        self.correct = torch.zeros((), device=device, dtype=torch.int64)
        self.count = 0
        self.postpones = device.type == "cpu"
        self.losses: list[tuple[Tensor, int]] = []
        self.answers: list[Answers] = []

    def add(self, loss: Tensor, right: Answers | Tensor, count: int) -> None:
        """Add a batch.

        Args:
            loss: its mean loss, a scalar.
            right: the answers to its images, or how many were right, a scalar. What the CPU is given must not change any more.
            count: how many images it has.
        """
        self.accumulate(loss, right, count)
        self.count += count

    def accumulate(self, loss: Tensor, right: Answers | Tensor, count: int) -> None:
        """The part of ``add`` that the device does: all but counting the images."""
        if self.postpones:
            self.losses.append((loss, count))
        else:
            self.loss_sum.add_(loss, alpha=count)
        if isinstance(right, Tensor):
            self.correct.add_(right)
        elif self.postpones:
            self.answers.append(right)
        else:
            self.correct.add_(right.count())
        if len(self.losses) >= MOST_NOTED:
            self.settle()

    def settle(self) -> None:
        """Count what was only noted. The sum of the losses is the same whenever that is: one is added after the other."""
        if self.losses:
            total = float(self.loss_sum)
            losses, counts = zip(*self.losses, strict=True)
            for loss, count in zip(torch.stack(losses).tolist(), counts, strict=True):
                total += loss * count
            self.loss_sum.fill_(total)
        if self.answers:
            logits = torch.cat([each.logits for each in self.answers])
            self.correct.add_(count_correct(logits, torch.cat([each.labels for each in self.answers])))
        self._forget()

    def _forget(self) -> None:
        self.losses.clear()
        self.answers.clear()

    def merge(self, other: "Meter") -> None:
        """Add all that another meter has seen."""
        other.settle()
        self.settle()
        self.loss_sum.add_(other.loss_sum)
        self.correct.add_(other.correct)
        self.count += other.count

    def reset(self) -> None:
        """Begin anew."""
        self._forget()
        self.loss_sum.zero_()
        self.correct.zero_()
        self.count = 0

    def state_dict(self) -> dict[str, float | int]:
        self.settle()
        return {"loss_sum": float(self.loss_sum), "correct": int(self.correct), "count": self.count}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self._forget()
        self.loss_sum.fill_(state["loss_sum"])
        self.correct.fill_(state["correct"])
        self.count = int(state["count"])

    def read(self) -> Metrics:
        """The metrics so far; waits for the device."""
        self.settle()
        return Metrics(float(self.loss_sum) / max(1, self.count), int(self.correct), self.count)
