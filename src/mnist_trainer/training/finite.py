"""Detect a loss or gradient that is not finite, and keep it from the weights."""

from typing import Any

import torch
from torch import Tensor

from mnist_trainer.compute.device import Device


class NonFiniteDetector:
    """Find the first step whose loss or gradients are not finite, without waiting for the device.

    The meaning is the same on every device: the first such step sets a flag that stays set, and
    from then on all gradients are zero, so NaN and infinity never reach a weight. Momentum and
    weight decay may still move weights until the trainer reads the flag and ends the run: after
    each step on the CPU, where reading does not wait, elsewhere at each log point. It always reads
    the flag before it saves, so no checkpoint is written after such a step.
    """

    def __init__(self, device: Device) -> None:
        self.waits = device.type != "cpu"
        """Whether reading the flag waits for the device."""
        # Its kernel wants float32, whatever the gradients are.
        options: dict[str, Any] = {"device": device.torch_device, "dtype": torch.float32}
        self.found_inf = torch.zeros((), **options)
        self.num_steps = torch.zeros((), **options)
        """Steps since the flag was set, that step included."""
        self.unit_scale = torch.ones((), **options)
        self.found = False
        """Whether the flag is set, where reading it does not wait; elsewhere always False."""

    def check(self, loss: Tensor, gradients: list[Tensor]) -> None:
        """Set the flag where one of the tensors is not finite; stays on the device.

        The kernel is the one with which ``GradScaler`` unscales gradients, here by 1. It buys 6 %
        of the training time of the FCN of the benchmarks over public functions, which need a sum or
        a norm of each tensor.
        """
        tensors = [loss.float(), *gradients]
        try:
            torch._amp_foreach_non_finite_check_and_unscale_(
                tensors, self.found_inf, self.unit_scale
            )
        except NotImplementedError:
            # Sparse and complex tensors. NaN and infinity survive addition.
            finite = torch.stack([tensor.sum().isfinite() for tensor in tensors]).all()
            self.found_inf.masked_fill_(~finite, 1)
        # Each operation between the large ones of a step costs up to 1 % of it on the CPU.
        self.found = not self.waits and self.found_inf.item() != 0
        if self.waits or self.found:
            self.num_steps.add_(self.found_inf)

    def mask_gradients(self, gradients: list[Tensor]) -> None:
        """Zero all gradients in place where the flag is set."""
        if self.waits:
            flag = self.found_inf.bool()
            for gradient in gradients:
                gradient.masked_fill_(flag, 0)
        elif self.found:
            for gradient in gradients:
                gradient.zero_()

    def first_bad_step(self, step: int) -> int | None:
        """Number of the first step that was not finite, None where all were; waits for the device.

        Args:
            step: number of the last step that was checked, counted from 1.
        """
        num_steps = int(self.num_steps)
        return step - num_steps + 1 if num_steps else None
