"""Whether rounding alone can have parted two runs, calibrated by a twin of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mnist_trainer.compute.device import Device
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.trail import Parting

WINDOW = 3
"""Steps in which the twin shows the size of rounding. Later it may have grown by a factor of a
million: a small difference turns a ReLU over."""
FACTOR = 10
"""How many times larger than the twin's a difference may be."""
RESOLUTION = {"fp32": 2.0**-23, "bf16": 2.0**-8, "fp16": 2.0**-11}
"""Relative distance of neighbouring numbers in each precision."""
TWIN_LIMIT = 1000
"""A twin that differs by more than so many times the resolution at its first step differs in
something else, such as random numbers that a class of the user's own draws for each image."""


@dataclass(frozen=True)
class Rounding:
    """The difference of two runs at the step where they part, and what rounding makes there."""

    found: float
    """Difference of the two losses."""
    twin: float
    """Largest difference of the twin with reversed batches, in the first steps from there on."""

    @property
    def ratio(self) -> float:
        return self.found / self.twin

    @property
    def fits(self) -> bool:
        """Whether rounding explains the difference."""
        return self.ratio <= FACTOR


def measure_rounding(
    config: RunConfig, device: Device, parting: Parting, losses: Mapping[int, float]
) -> Rounding | None:
    """Train a twin with reversed batches up to the step where two runs part.

    Args:
        config: of the run that was trained here.
        losses: of that run, by step.

    Returns:
        None where a twin cannot be calibrated.
    """
    if parting.losses is None:
        return None
    from mnist_trainer.training.twin import reversed_twin

    first = parting.same_until + 1
    last = parting.step + WINDOW - 1
    here = losses
    if config.trainer.engine != "autograd":
        # The engines without it draw dropout in a way of their own; their sums are the same.
        config = replace(config, trainer=replace(config.trainer, engine="autograd"))
        here = reversed_twin(config, device, last + 1, last)
    twin = reversed_twin(config, device, first, last)
    steps = [step for step in range(parting.step, last + 1) if step in twin and step in here]
    if not steps or any(twin[s] != here[s] for s in range(1, first) if s in here and s in twin):
        return None  # Not even the steps before are the same bits: nothing can be calibrated.
    scale = abs(here[steps[0]])
    size = max(abs(twin[step] - here[step]) for step in steps)
    if size > TWIN_LIMIT * RESOLUTION[device.precision] * scale:
        return None
    smallest = float(np.spacing(np.float32(scale)))
    there, loss = parting.losses
    return Rounding(abs(there - loss), max(size, smallest))
