"""Where a run computes, and in which precision: decided once, before anything is built."""

import contextlib
import logging
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

log = logging.getLogger(__name__)

AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Device:
    """A device with the precision that it computes in."""

    torch_device: torch.device
    precision: str
    """fp32, bf16 or fp16."""
    memory_format: torch.memory_format
    name: str
    """For people, such as "AMD EPYC, 2 threads"."""
    graphs: bool = False
    """Whether training steps are to be recorded once and replayed."""

    @property
    def type(self) -> str:
        return self.torch_device.type

    def autocast(self) -> AbstractContextManager[object]:
        """The context of a forward pass; does nothing in fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.type, dtype=AUTOCAST_TYPES[self.precision])

    def grad_scaler(self) -> GradScaler:
        """Scales the loss so that small gradients survive fp16; does nothing in other precisions."""
        return GradScaler(self.type, enabled=self.precision == "fp16")

    def synchronize(self) -> None:
        """Wait until the device has done what it was given, so that a clock tells the truth."""
        if self.type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.type == "mps":
            torch.mps.synchronize()


@contextlib.contextmanager
def unchanged_threads() -> Iterator[None]:
    """Leave PyTorch's number of threads as it was found: a sweep makes many runs in one process."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def select_device(settings: DeviceSettings, place: RankInfo = SINGLE_PROCESS) -> Device:
    """The device that the settings ask for, set up.

    Args:
        place: of this process, where several make one run; each takes a GPU of its own.

    Raises:
        MachineError: this machine has no such device.
        ConfigError: the device cannot compute in the precision.
    """
    kind = settings.type
    if kind == "auto":
        kind = (
            "cuda"
            if torch.cuda.is_available()
            else "mps"
            if torch.backends.mps.is_available()
            else "cpu"
        )
    elif (kind == "cuda" and not torch.cuda.is_available()) or (
        kind == "mps" and not torch.backends.mps.is_available()
    ):
        raise MachineError(
            f"device={kind}: PyTorch {torch.__version__} finds no {kind.upper()} device here. This"
            f" machine has: {', '.join(available_devices())}.\nRun on what there is: device=auto or"
            " device=cpu"
        )
    if settings.graph is True and kind != "cuda":
        raise ConfigError(
            f"device.graph=true: only CUDA devices have graphs, and this run computes on {kind}."
            " Use device.graph=auto, or device=cuda on a machine that has one."
        )
    if place.size > 1:
        _set_up_one_of_many(settings, kind, place)
    precision = _precision(settings.precision, kind)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    if kind == "cuda":
        _set_up_cuda(settings.deterministic)
    return Device(
        torch_device=(
            torch.device(kind, torch.cuda.current_device())
            if kind == "cuda"
            else torch.device(kind)
        ),
        precision=precision,
        memory_format=torch.channels_last if settings.channels_last else torch.contiguous_format,
        name=device_name(kind),
        graphs=kind == "cuda" and settings.graph is not False and place.size == 1,
    )


def _set_up_one_of_many(settings: DeviceSettings, kind: str, place: RankInfo) -> None:
    """Raises:
    MachineError: there are fewer GPUs than processes on this machine.
    ConfigError: what several processes cannot do together.
    """
    if kind == "mps":
        raise ConfigError(
            f"device={settings.type}: {place.size} processes cannot share an MPS device. Use"
            " device=cpu, or one process."
        )
    if settings.graph is True:
        raise ConfigError(
            f"device.graph=true: {place.size} processes exchange gradients within a step, which is"
            " not recorded as a graph. Leave it out with device.graph=auto, or use one process."
        )
    if kind == "cuda":
        if (count := torch.cuda.device_count()) < place.local_size:
            raise MachineError(
                f"device={settings.type}: {place.local_size} processes on this machine need a GPU"
                f" each, and it has {count}.\nStart fewer: torchrun --nproc-per-node {count} ...;"
                " or compute elsewhere: device=cpu"
            )
        torch.cuda.set_device(place.local_rank)


def _precision(asked: str, kind: str) -> str:
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
    """Whether this processor computes in bf16 itself (AVX512-BF16 or AMX), where it is quicker than
    fp32."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def _set_up_cuda(deterministic: bool) -> None:
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        # Read by cuBLAS when it is first used: without it matrix products may differ from run to
        # run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Filling fresh memory with NaN finds bugs, and costs a kernel for each tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def available_devices() -> list[str]:
    """What this machine has, for people."""
    kinds = ["cpu"]
    if torch.cuda.is_available():
        kinds.insert(0, "cuda")
    if torch.backends.mps.is_available():
        kinds.insert(0, "mps")
    return [f"{kind} ({device_name(kind)})" for kind in kinds]


def device_name(kind: str) -> str:
    """Model of the device, for people."""
    if kind == "cuda":
        return torch.cuda.get_device_name()
    if kind == "mps":
        return f"Apple {platform.machine()}"
    threads = torch.get_num_threads()
    return f"{cpu_name()}, {threads} thread{'s' if threads > 1 else ''}"


def cpu_name() -> str:
    """Model of the processor, as the system names it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
