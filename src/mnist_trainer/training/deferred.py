"""Metrics of the training steps on the CPU, summed many batches at a time.

Batch by batch it takes five small operations a step, each of which finds the processor's caches
full of the large ones' data. To defer them buys about 3 % of the training time of the FCN of the
benchmarks.
"""

import torch
from torch import Tensor

from mnist_trainer.training.accumulators import MetricAccumulator, count_correct

MAX_BATCHES, MAX_IMAGES = 64, 8192
"""Bounds of what is kept: labels that a worker has loaded hold an open file each."""


class DeferredAccumulator(MetricAccumulator):
    """Keeps batches until somebody reads the sums; the same sums, to the last bit."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.pending: list[tuple[Tensor, Tensor, Tensor]] = []

    def accumulate_batch(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.pending.append((loss, logits, labels))
        if len(self.pending) >= min(MAX_BATCHES, MAX_IMAGES // len(labels)):
            self.flush()

    def flush(self) -> None:
        if self.pending:
            losses, logits, labels = zip(*self.pending, strict=True)
            for loss, each in zip(losses, labels, strict=True):
                self.loss_sum.add_(loss, alpha=len(each))
            self.correct.add_(count_correct(torch.cat(logits), torch.cat(labels)))
            self.pending.clear()

    def reset(self) -> None:
        self.pending.clear()
        super().reset()

    def load_state_dict(self, state: dict[str, float | int]) -> None:
        self.pending.clear()
        super().load_state_dict(state)


def make_accumulator(device: torch.device) -> MetricAccumulator:
    """The accumulator that suits a device."""
    return DeferredAccumulator(device) if device.type == "cpu" else MetricAccumulator(device)
