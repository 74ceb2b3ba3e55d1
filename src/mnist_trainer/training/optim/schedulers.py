"""Learning-rate schedules: lengths in epochs in the configuration, converted to steps once, here.

Each is one of PyTorch's own ``LambdaLR``, stepped after every update, with a factor that is a plain
function of the number of updates made.
"""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


class Constant(LambdaLR):
    """The optimizer's learning rate, after an optional linear warm-up."""

    def __init__(self, optimizer: Optimizer, steps_per_epoch: int, warmup_epochs: float) -> None:
        super().__init__(optimizer, warmed_up(lambda _: 1.0, warmup_epochs * steps_per_epoch))


class Step(LambdaLR):
    """A multiplication by ``gamma`` every ``every_epochs``."""

    def __init__(
        self,
        optimizer: Optimizer,
        steps_per_epoch: int,
        every_epochs: float,
        gamma: float,
        warmup_epochs: float,
    ) -> None:
        every = max(1, round(every_epochs * steps_per_epoch))
        super().__init__(
            optimizer,
            warmed_up(lambda step: gamma ** (step // every), warmup_epochs * steps_per_epoch),
        )


class Cosine(LambdaLR):
    """Half a cosine down to ``final_fraction`` of the learning rate, after the warm-up (Loshchilov
    and Hutter 2017, eq. 5)."""

    def __init__(
        self,
        optimizer: Optimizer,
        steps_per_epoch: int,
        total_steps: int,
        final_fraction: float,
        warmup_epochs: float,
    ) -> None:
        warmup = warmup_epochs * steps_per_epoch

        def factor(step: int) -> float:
            progress = between(step, warmup, total_steps)
            return final_fraction + (1 - final_fraction) * cosine_fall(progress)

        super().__init__(optimizer, warmed_up(factor, warmup))


class OneCycle(LambdaLR):
    """A rise from ``lr / initial_divisor`` to ``lr``, then a fall to ``lr / (initial_divisor *
    final_divisor)``.

    Smith and Topin 2018, in the variant with two phases.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        steps_per_epoch: int,
        total_steps: int,
        warmup_epochs: float | None,
        initial_divisor: float,
        final_divisor: float,
        shape: str,
    ) -> None:
        peak = 0.3 * total_steps if warmup_epochs is None else warmup_epochs * steps_per_epoch
        start, end = 1 / initial_divisor, 1 / (initial_divisor * final_divisor)
        fall = cosine_fall if shape == "cosine" else linear_fall

        def factor(step: int) -> float:
            if step < peak:
                return 1 + (start - 1) * fall(step / peak)
            # The last update is made at step total_steps - 1, and has the final rate.
            return end + (1 - end) * fall(between(step, peak, total_steps - 1))

        super().__init__(optimizer, factor)


def warmed_up(factor: Callable[[int], float], warmup_steps: float) -> Callable[[int], float]:
    """The factor, multiplied by a linear rise over the first ``warmup_steps`` updates."""
    return lambda step: (
        factor(step) * min(1.0, (step + 1) / warmup_steps if warmup_steps > 0 else 1.0)
    )


def between(step: float, start: float, end: float) -> float:
    """How far a step is on the way from start to end, 0 to 1."""
    return min(1.0, max(0.0, (step - start) / max(end - start, 1e-9)))


def cosine_fall(progress: float) -> float:
    """From 1 at progress 0 to 0 at progress 1."""
    return (1 + math.cos(math.pi * progress)) / 2


def linear_fall(progress: float) -> float:
    """From 1 at progress 0 to 0 at progress 1."""
    return 1 - progress
