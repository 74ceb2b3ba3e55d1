"""How quick the training steps of a run were, beside what this machine could do."""

from dataclasses import asdict

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.roofline import StepCost, machine_peak, step_cost
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.models.losses import Distill
from mnist_trainer.models.summary import LayerSummary
from mnist_trainer.runs.result import Throughput
from mnist_trainer.training.trainer import Trainer

LONG_ENOUGH = 0.5
"""Seconds of training from which the share of the roofline means something."""


def cost_of_step(
    config: RunConfig,
    layers: list[LayerSummary],
    criterion: object,
    update_size: int,
    device: Device,
) -> StepCost | None:
    """Arithmetic of an update; None where an adversary or a teacher makes further passes, and in
    NumPy, which has threads of its own."""
    several_passes = config.trainer.adversary is not None or isinstance(criterion, Distill)
    if several_passes or config.trainer.engine == "numpy":
        return None
    return step_cost([asdict(layer) for layer in layers], update_size, device.precision)


def measure_throughput(trainer: Trainer, seconds: float) -> Throughput:
    """Speed of the training steps of all sessions.

    Args:
        seconds: of training, without evaluation.
    """
    data, device, cost = trainer.data, trainer.clock.device, trainer.step_cost
    seconds = max(seconds, 1e-9)
    # The last update of an epoch may have fewer images than the others.
    images = trainer.progress.step / data.steps_per_epoch * data.num_images
    if cost is None or not cost.flops:
        return Throughput(images / seconds, None, None)
    gflops = 1e-9 * cost.flops * images / data.update_size / seconds
    # Several processes may be on several machines.
    if seconds < LONG_ENOUGH or trainer.world.size > 1:
        return Throughput(images / seconds, gflops, None)
    peak = machine_peak(device, at_least=gflops)
    attainable = peak.attainable_gflops(cost) if peak else None
    return Throughput(images / seconds, gflops, attainable)
