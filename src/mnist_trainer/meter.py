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
    """Sums on the device: to add never waits for it, to read waits once."""

    def __init__(self, device: torch.device) -> None:
        # MPS has no float64; a million float32 additions would lose digits that the CPU and CUDA can keep.
        self.loss_sum = torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)
        self.correct = torch.zeros((), device=device, dtype=torch.int64)
        self.count = 0

    def add(self, loss: Tensor, right: Answers | Tensor, count: int) -> None:
        """Add a batch.

        Args:
            loss: its mean loss, a scalar.
            right: the answers to its images, or how many were right, a scalar.
            count: how many images it has.
        """
        self.accumulate(loss, right, count)
        self.count += count

    def accumulate(self, loss: Tensor, right: Answers | Tensor, count: int) -> None:
        """The part of ``add`` that the device does, and a graph can repeat: all but counting the images."""
        self.loss_sum.add_(loss, alpha=count)
        self.correct.add_(right.count() if isinstance(right, Answers) else right)

    def settle(self) -> None:
        """Bring the sums up to date."""

    def merge(self, other: "Meter") -> None:
        """Add all that another meter has seen."""
        self.settle()
        other.settle()
        self.loss_sum.add_(other.loss_sum)
        self.correct.add_(other.correct)
        self.count += other.count

    def reset(self) -> None:
        """Begin anew."""
        self.settle()
        self.loss_sum.zero_()
        self.correct.zero_()
        self.count = 0

    def state_dict(self) -> dict[str, float | int]:
        self.settle()
        return {"loss_sum": float(self.loss_sum), "correct": int(self.correct), "count": self.count}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.settle()
        self.loss_sum.fill_(state["loss_sum"])
        self.correct.fill_(state["correct"])
        self.count = int(state["count"])

    def read(self) -> Metrics:
        """The metrics so far; waits for the device."""
        self.settle()
        return Metrics(float(self.loss_sum) / max(1, self.count), int(self.correct), self.count)


class NotingMeter(Meter):
    """The same for the CPU, where a batch is only noted, and all are counted at once when somebody asks.

    To count one batch takes three operations, 1 to 2 % of a step. What it is given must not change any more.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.noted: list[tuple[Tensor, Answers | Tensor, int]] = []

    def accumulate(self, loss: Tensor, right: Answers | Tensor, count: int) -> None:
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
        answers = [right for right in rights if isinstance(right, Answers)]
        if answers:
            logits, labels = torch.cat([each.logits for each in answers]), torch.cat([each.labels for each in answers])
            self.correct.add_(count_correct(logits, labels))
        for counted in rights:
            if isinstance(counted, Tensor):
                self.correct.add_(counted)


def make_meter(device: torch.device) -> Meter:
    """The meter that suits a device."""
    return NotingMeter(device) if device.type == "cpu" else Meter(device)
