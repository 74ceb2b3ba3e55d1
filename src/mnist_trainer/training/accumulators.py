"""Sums of loss and correct predictions, kept on the device until they are read."""

import torch
from torch import Tensor

from mnist_trainer.runs.metrics import Metrics


def count_correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of images whose largest logit (N, C) is at their label (N,), a device scalar."""
    return (logits.argmax(dim=1) == labels).sum()


class MetricAccumulator:
    """Sums on the device: adding never waits for it, reading waits once."""

    def __init__(self, device: torch.device) -> None:
        # MPS has no float64; a million float32 additions would lose digits that the CPU and CUDA
        # can keep.
        self.loss_sum = torch.zeros(
            (), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64
        )
        self.correct = torch.zeros((), device=device, dtype=torch.int64)
        self.count = 0

    def add(self, loss: Tensor, num_correct: Tensor, count: int) -> None:
        """Add a batch.

        Args:
            loss: its mean loss, a scalar.
            num_correct: how many of its images were classified correctly, a scalar.
            count: how many images it has.
        """
        self.accumulate(loss, num_correct, count)
        self.count += count

    def accumulate(self, loss: Tensor, num_correct: Tensor, count: int) -> None:
        """The part of ``add`` that runs on the device, and that a CUDA graph can replay."""
        self.loss_sum.add_(loss, alpha=count)
        self.correct.add_(num_correct)

    def accumulate_batch(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """The same from the logits (N, C) and labels (N,) of a batch."""
        self.accumulate(loss, count_correct(logits, labels), len(labels))

    def flush(self) -> None:
        """Bring the sums up to date."""

    def merge(self, other: "MetricAccumulator") -> None:
        """Add the sums of another accumulator."""
        self.flush()
        other.flush()
        self.loss_sum.add_(other.loss_sum)
        self.correct.add_(other.correct)
        self.count += other.count

    def reset(self) -> None:
        self.loss_sum.zero_()
        self.correct.zero_()
        self.count = 0

    def state_dict(self) -> dict[str, float | int]:
        self.flush()
        return {"loss_sum": float(self.loss_sum), "correct": int(self.correct), "count": self.count}

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.loss_sum.fill_(state["loss_sum"])
        self.correct.fill_(state["correct"])
        self.count = int(state["count"])

    def read(self) -> Metrics:
        """The metrics so far; waits for the device."""
        self.flush()
        return Metrics(float(self.loss_sum) / max(1, self.count), int(self.correct), self.count)
