"""The device of a run and its precision, selected once before anything is built."""

import contextlib
import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.amp.grad_scaler import GradScaler

from mnist_trainer.compute.ranks import SINGLE_PROCESS, RankInfo
from mnist_trainer.config.settings import DeviceSettings
from mnist_trainer.errors import ConfigError, MachineError

AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device with the precision that it computes in."""

    torch_device: torch.device
    precision: str
    """fp32, bf16 or fp16."""
    memory_format: torch.memory_format
    name: str
    """For messages, such as "AMD EPYC, 2 threads"."""
    graphs: bool = False
    """Whether to capture training steps as a CUDA graph."""

    @property
    def type(self) -> str:
        return self.torch_device.type

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision for a forward pass; a null context in fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.type, dtype=AUTOCAST_TYPES[self.precision])

    def grad_scaler(self) -> GradScaler:
        """Loss scaling, which keeps small gradients from underflow in fp16; disabled otherwise."""
        return GradScaler(self.type, enabled=self.precision == "fp16")

    def synchronize(self) -> None:
        """Wait for all kernels that were launched, before reading a clock."""
        if self.type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.type == "mps":
            torch.mps.synchronize()


@contextlib.contextmanager
def unchanged_threads() -> Iterator[None]:
    """Restore PyTorch's number of threads afterwards: a sweep makes many runs in one process."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def select_device(settings: DeviceSettings, rank_info: RankInfo = SINGLE_PROCESS) -> Device:
    """Select and set up the device that the settings ask for.

    Args:
        rank_info: of this process; each process of a run takes a GPU of its own.

    Raises:
        MachineError: this machine has no such device, or fewer GPUs than processes.
        ConfigError: the device cannot do what is asked.
    """
    kind = _resolve_type(settings.type)
    if settings.graph is True and kind != "cuda":
        raise ConfigError(
            f"device.graph=true: only CUDA devices have graphs, and this run computes on {kind}."
            " Use device.graph=auto, or device=cuda on a machine that has one."
        )
    if rank_info.size > 1:
        _check_distributed(settings, kind, rank_info)
    precision = _resolve_precision(settings.precision, kind)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch_device = torch.device(kind)
    if kind == "cuda":
        torch_device = _set_up_cuda(settings.deterministic, rank_info)
    return Device(
        torch_device=torch_device,
        precision=precision,
        memory_format=torch.channels_last if settings.channels_last else torch.contiguous_format,
        name=device_name(kind),
        graphs=kind == "cuda" and settings.graph is not False and rank_info.size == 1,
    )


def _available_types() -> list[str]:
    """Types of device on this machine, the fastest first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [kind for kind, is_available in available.items() if is_available] + ["cpu"]


def _resolve_type(asked: str) -> str:
    """The type of device to use; ``auto`` is the fastest."""
    available = _available_types()
    kind = available[0] if asked == "auto" else asked
    if kind not in available:
        raise MachineError(
            f"device={kind}: PyTorch {torch.__version__} finds no {kind.upper()} device here. This"
            f" machine has: {', '.join(available_devices())}.\nRun on what there is: device=auto or"
            " device=cpu"
        )
    return kind


def _check_distributed(settings: DeviceSettings, kind: str, rank_info: RankInfo) -> None:
    if kind == "mps":
        raise ConfigError(
            f"device={settings.type}: {rank_info.size} processes cannot share an MPS device. Use"
            " device=cpu, or one process."
        )
    if settings.graph is True:
        raise ConfigError(
            f"device.graph=true: {rank_info.size} processes exchange gradients within a step, which"
            " is not recorded as a graph. Leave it out with device.graph=auto, or use one process."
        )
    if kind == "cuda" and (count := torch.cuda.device_count()) < rank_info.local_size:
        raise MachineError(
            f"device={settings.type}: {rank_info.local_size} processes on this machine need a GPU"
            f" each, and it has {count}.\nStart fewer: torchrun --nproc-per-node {count} ...;"
            " or compute elsewhere: device=cpu"
        )


def _resolve_precision(asked: str, kind: str) -> str:
    """The precision to use; ``auto`` and ``mixed`` depend on the device."""
    if asked == "mixed" and kind == "cpu":
        return "bf16" if has_bf16_arithmetic() else "fp32"
    if asked in ("auto", "mixed"):
        if kind != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if asked == "fp16" and kind == "cpu":
        raise ConfigError(
            "device.precision=fp16: the CPU trains in fp32 or bf16. Use device.precision=bf16, or a"
            " GPU."
        )
    return asked


def has_bf16_arithmetic() -> bool:
    """Whether the CPU has bf16 instructions (AVX512-BF16 or AMX), which are faster than fp32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def _set_up_cuda(deterministic: bool, rank_info: RankInfo) -> torch.device:
    """Choose the GPU of this process and whether algorithms are deterministic."""
    if rank_info.size > 1:
        torch.cuda.set_device(rank_info.local_rank)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        # Read by cuBLAS at its first use: without it matrix products may differ between runs.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling new memory with NaN finds bugs, and costs a kernel for each tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cuda", torch.cuda.current_device())


def available_devices() -> list[str]:
    """The devices of this machine with their names, for messages."""
    return [f"{kind} ({device_name(kind)})" for kind in _available_types()]


def device_name(kind: str) -> str:
    """Model of the device, for messages."""
    if kind == "cuda":
        return torch.cuda.get_device_name()
    if kind == "mps":
        return f"Apple {platform.machine()}"
    threads = torch.get_num_threads()
    return f"{cpu_name()}, {threads} thread{'s' if threads > 1 else ''}"


def cpu_name() -> str:
    """Model of the processor, as the operating system names it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
