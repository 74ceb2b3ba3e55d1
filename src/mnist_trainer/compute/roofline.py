"""The roofline of this machine, measured once, and the arithmetic of a training step under it.

A step is bound by arithmetic or by memory, whichever takes longer (Williams, Waterman and Patterson
2009).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any

import torch

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.passport.speed import bandwidth, product_gflops
from mnist_trainer.errors import MachineError
from mnist_trainer.system.files import data_cache_folder, write_json
from mnist_trainer.system.memory import is_out_of_memory

log = logging.getLogger(__name__)

SECONDS = 0.15
"""How long the matrix product is timed, and the two copies together."""
INPUT_NUMBERS = 28 * 28


@dataclass(frozen=True)
class StepCost:
    """Arithmetic of a training step, and the memory traffic that it takes at least."""

    flops: float
    """A multiply-add counts as two."""
    bytes: float


@dataclass(frozen=True)
class Peak:
    """What a device does at best."""

    gflops: float
    """GFLOP/s of a product of large square matrices, in the precision of the run."""
    memory: float
    """GB/s of a copy or triad of arrays larger than the caches."""

    def attainable_gflops(self, cost: StepCost) -> float:
        """GFLOP/s that the roofline allows a step."""
        return min(self.gflops, cost.flops / cost.bytes * self.memory)


def step_flops(layers: Sequence[Mapping[str, Any]], batch_size: int) -> float:
    """Floating point operations of a training step: a multiply-add is two, and the backward pass
    makes two products for each of the forward pass, but one for the first layer, whose input needs
    no gradient.

    Args:
        layers: as in layers.json.
    """
    macs = [int(layer["macs"]) for layer in layers if layer["macs"]]
    return 2.0 * batch_size * (3 * sum(macs) - (macs[0] if macs else 0))


def step_bytes(layers: Sequence[Mapping[str, Any]], batch_size: int, number_bytes: int) -> float:
    """Bytes that a training step moves at least where nothing stays in a cache.

    Each activation is written and read by the forward pass, read by the backward pass, and its
    gradient written and read. Each parameter is read twice, its gradient written and read, its
    momentum and itself read and written by the optimizer.
    """
    activations = INPUT_NUMBERS + sum(int(prod(layer["output_shape"])) for layer in layers)
    parameters = sum(int(layer["parameters"]) for layer in layers)
    return 5.0 * number_bytes * batch_size * activations + 8.0 * 4 * parameters


def step_cost(layers: Sequence[Mapping[str, Any]], batch_size: int, precision: str) -> StepCost:
    """Arithmetic and memory traffic of a step on ``batch_size`` images."""
    number_bytes = 4 if precision == "fp32" else 2
    return StepCost(step_flops(layers, batch_size), step_bytes(layers, batch_size, number_bytes))


def machine_peak(device: Device, at_least: float = 0.0) -> Peak | None:
    """The peak of this machine with the present number of threads: measured once, then read from
    the cache of the user; None where memory is too small to measure it.

    Args:
        at_least: GFLOP/s that a run came to. A smaller peak was measured while the machine had
            other work; it is measured again.
    """
    path, key = peaks_file(), peak_key(device)
    kept = read_peaks(path)
    peak = kept.get(key)
    if peak is not None and peak.gflops >= at_least:
        return peak
    measured = measure_peak(device)
    if measured is None:
        return peak
    if peak is not None:
        measured = Peak(max(measured.gflops, peak.gflops), max(measured.memory, peak.memory))
    # A cache that cannot be written costs the next run a moment, and this one nothing.
    with suppress(MachineError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {name: asdict(each) for name, each in {**kept, key: measured}.items()})
    return measured


def measure_peak(device: Device) -> Peak | None:
    """Time a matrix product and copies; None where memory is too small for them."""
    try:
        gflops = product_gflops(device.type, device.precision, SECONDS)
        memory = max(bandwidth(device.type, SECONDS / 2).values())
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        log.info("no memory to measure the peak of this machine")
        return None
    return Peak(gflops, memory)


def peaks_file() -> Path:
    """Where the peaks of this machine are kept."""
    return data_cache_folder() / "peaks.json"


def peak_key(device: Device) -> str:
    """What a peak depends on, as text: the name of the device holds its number of threads."""
    return f"{device.name}, {device.precision}, torch {torch.__version__}"


def read_peaks(path: Path) -> dict[str, Peak]:
    """The peaks that were kept; those that are damaged are left out."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {key: peak for key, values in content.items() if (peak := _as_peak(values))}


def _as_peak(values: object) -> Peak | None:
    if not isinstance(values, dict) or values.keys() != {"gflops", "memory"}:
        return None
    numbers = [value for value in values.values() if isinstance(value, float)]
    if len(numbers) != 2 or not all(isfinite(value) and value > 0 for value in numbers):
        return None
    return Peak(**values)
