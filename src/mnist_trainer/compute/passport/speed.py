"""Measured GFLOP/s and GB/s, and what the processor could do."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.compute.device import has_bf16_arithmetic, unchanged_threads
from mnist_trainer.compute.passport.exact import TYPES

SIZES = {"few": 512, "many": 2048, "device": 4096}
"""Side of the matrices whose product is timed: on few threads it ends within a time slice, so that
neighbours leave the best time as it is; many threads, and a GPU, need larger ones to be filled."""
FEW = 4
NUMBERS = 16 * 2**20
"""Of each array that is copied: 64 MiB in fp32, more than most caches."""
FLOPS_PER_CYCLE = {"avx512f": 64, "avx2": 32, "avx": 16, "sse2": 8}
"""Of one core in fp32: two units, each a multiply and an add of a whole register (Intel and AMD
optimization manuals). A processor with one 512-bit unit has 32 with AVX-512."""


def best_seconds(
    work: Callable[[], object], seconds: float, wait: Callable[[], object] = lambda: None
) -> float:
    """The shortest time of a piece of work, repeated for some seconds and at least five times."""
    work()
    wait()
    end, times = time.perf_counter() + seconds, list[float]()
    while len(times) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        wait()
        times.append(time.perf_counter() - start)
    return min(times)


def waiting(device: str) -> Callable[[], object]:
    """What waits until a device has computed all that was asked."""
    if device == "cuda":
        return torch.cuda.synchronize
    return torch.mps.synchronize if device == "mps" else lambda: None


def random_numbers(device: str, *shape: int) -> Tensor:
    """Uniform numbers, the same each time; the random state of the process stays as it is."""
    generator = torch.Generator(device).manual_seed(0)
    return torch.rand(*shape, device=device, generator=generator)


def product_gflops(device: str, precision: str, seconds: float) -> float:
    """GFLOP/s of a product of two square matrices."""
    name = "few" if torch.get_num_threads() <= FEW else "many"
    size = SIZES[name if device == "cpu" else "device"]
    left, right = (random_numbers(device, size, size).to(TYPES[precision]) for _ in range(2))
    wait = waiting(device)
    return 2e-9 * size**3 / best_seconds(lambda: torch.mm(left, right), seconds, wait)


def bandwidth(device: str, seconds: float) -> dict[str, float]:
    """GB/s that a copy and a triad (a = b + s * c) move, counted as STREAM does (McCalpin 1995)."""
    first, second, third = (random_numbers(device, NUMBERS) for _ in range(3))
    wait, moved = waiting(device), 4e-9 * NUMBERS
    copy = best_seconds(lambda: first.copy_(second), seconds, wait)
    triad = best_seconds(lambda: torch.add(second, third, alpha=3.0, out=first), seconds, wait)
    return {"copy": 2 * moved / copy, "triad": 3 * moved / triad}


def thread_counts(cores: int, threads: int) -> list[int]:
    """1, 2, 4 and so on up to the cores, these themselves, and the threads that a run would use."""
    doubled = (2**power for power in range(cores.bit_length()))
    return sorted({*(count for count in doubled if count <= cores), cores, threads})


def scaling(counts: Iterable[int], seconds: float) -> list[dict[str, float]]:
    """GFLOP/s and GB/s of the processor with each number of threads."""
    rows = []
    with unchanged_threads():
        for count in counts:
            torch.set_num_threads(count)
            gflops = product_gflops("cpu", "fp32", seconds)
            rows.append({"threads": count, "gflops": gflops, **bandwidth("cpu", seconds / 2)})
    return rows


def theoretical_peak(flags: Iterable[str], cores: int, megahertz: float | None) -> dict[str, Any]:
    """Cores x clock rate x operations per cycle in fp32, in GFLOP/s; None where a factor is
    unknown."""
    known = set(flags)
    widest = next((name for name in FLOPS_PER_CYCLE if name in known), None)
    per_cycle = FLOPS_PER_CYCLE[widest] if widest else None
    gflops = None
    if per_cycle is not None and megahertz is not None:
        gflops = cores * megahertz * per_cycle / 1000
    return {
        "cores": cores,
        "megahertz": megahertz,
        "flops_per_cycle": per_cycle,
        "instructions": widest,
        "gflops": gflops,
    }


def low_precision(device: str, precision: str, seconds: float) -> dict[str, Any]:
    """How quick a precision is beside fp32, in turns, and whether it has own instructions."""
    turns = [
        [product_gflops(device, each, seconds / 3) for each in ("fp32", precision)]
        for _ in range(3)
    ]
    full, low = (max(turn[place] for turn in turns) for place in (0, 1))
    instructions = has_instructions(device, precision)
    native = low > full if instructions is None else instructions and low > full
    return {
        "device": device,
        "precision": precision,
        "fp32_gflops": full,
        "gflops": low,
        "ratio": low / full,
        "instructions": instructions,
        "native": native,
    }


def has_instructions(device: str, precision: str) -> bool | None:
    """Whether a device has instructions for a precision; None where it cannot be asked."""
    if device == "cpu":
        return has_bf16_arithmetic() if precision == "bf16" else None
    if device == "cuda":
        return precision == "fp16" or torch.cuda.is_bf16_supported(including_emulation=False)
    return None


def device_speeds(device: str, seconds: float) -> Mapping[str, Any]:
    """GFLOP/s and GB/s of a device that is not the processor."""
    return {
        "device": device,
        "gflops": product_gflops(device, "fp32", seconds),
        **bandwidth(device, seconds),
    }
