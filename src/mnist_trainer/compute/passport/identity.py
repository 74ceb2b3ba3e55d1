"""What a machine is: processor, memory, versions, threads, and the variables that change sums."""

import os
import platform
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from mnist_trainer.compute.device import available_devices, cpu_name
from mnist_trainer.compute.environment import arithmetic_variables
from mnist_trainer.system.cores import usable_cores
from mnist_trainer.system.version import package_version

CPUINFO = Path("/proc/cpuinfo")
FREQUENCY = Path("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
CAPABILITIES = ("DEFAULT", "AVX2", "AVX512")
"""Of PyTorch's own kernels on x86, from the least to the most."""
NEEDED_FLAGS = {
    "AVX512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "AVX2": {"avx2", "fma"},
}
"""Flags that PyTorch asks for before it chooses a capability (``aten/src/ATen/native/
DispatchStub.cpp``)."""
SHOWN_FLAGS = (
    "sse4_2", "avx", "fma", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16",
    "amx_tile", "amx_bf16", "asimd", "bf16", "sve", "i8mm",
)  # fmt: skip


def describe_machine() -> dict[str, Any]:
    """Everything on which speed and bits of a run depend, as plain values."""
    processor = read_processor(system_text(CPUINFO))
    flags = processor.pop("flags")
    offered = offered_capability(flags)
    return {
        "processor": {"name": cpu_name(), "machine": platform.machine(), **processor},
        "flags": [flag for flag in SHOWN_FLAGS if flag in flags],
        "cores": {"logical": os.cpu_count() or 1, "usable": usable_cores()},
        "quota": cpu_quota(),
        "capability": {"used": torch.backends.cpu.get_cpu_capability(), "offered": offered},
        "megahertz": megahertz(),
        "memory_bytes": memory_bytes(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {
            name: package_version(name) for name in ("mnist-trainer", "torch", "torchvision")
        },
        "torch": describe_torch(torch.__config__.show()),
        "threads": torch.get_num_threads(),
        "variables": arithmetic_variables(),
        "devices": available_devices(),
    }


def read_processor(text: str) -> dict[str, Any]:
    """Vendor, family, model and flags from the first processor of /proc/cpuinfo.

    Flags are empty where the text does not name them, as on other systems than Linux.
    """
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    found = {name.strip(): value.strip() for name, _, value in lines}
    vendor = found.get("vendor_id") or found.get("CPU implementer")
    family = found.get("cpu family") or found.get("CPU architecture")
    flags = (found.get("flags") or found.get("Features") or "").split()
    model = found.get("model") or found.get("CPU part")
    return {"vendor": vendor, "family": family, "model": model, "flags": frozenset(flags)}


def offered_capability(flags: frozenset[str]) -> str | None:
    """The highest capability for which the processor has the instructions; None where unknown."""
    if not flags & {"sse2", "avx"}:
        return None  # No x86, or a system that does not tell.
    return next((name for name, needed in NEEDED_FLAGS.items() if needed <= flags), "DEFAULT")


def cpu_quota() -> float | None:
    """Cores that the control group of this process may fill on average; None without a limit."""
    for folder in cgroup_folders():
        limit, _, period = system_text(folder / "cpu.max").partition(" ")
        limit = limit or system_text(folder / "cpu.cfs_quota_us")
        period = period or system_text(folder / "cpu.cfs_period_us")
        with suppress(ValueError, ZeroDivisionError):
            if float(limit) > 0:
                return float(limit) / float(period)
    return None


def cgroup_folders() -> list[Path]:
    """Folders of this process's CPU control group and its parents, version 2 and version 1."""
    found = []
    for line in system_text(Path("/proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        roots = [f"/sys/fs/cgroup/{controllers}", "/sys/fs/cgroup/cpu"]
        for root in roots if controllers else ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]:
            inner = Path(root) / path.lstrip("/")
            found += [place for place in (inner, *inner.parents) if place.is_relative_to(root)]
    return [place for place in dict.fromkeys(found) if (place / "cpu.stat").exists()]


def megahertz() -> float | None:
    """The highest clock rate that the system names; in a virtual machine, the nominal one."""
    with suppress(ValueError):
        return float(system_text(FREQUENCY)) / 1000
    named = re.search(r"^cpu MHz\s*:\s*([\d.]+)", system_text(CPUINFO), re.M)
    return float(named[1]) if named else None


def memory_bytes() -> int | None:
    """Main memory, where the system tells."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


def describe_torch(config: str) -> dict[str, str | None]:
    """BLAS and libraries of a build, from the text of ``torch.__config__.show()``."""
    patterns = {
        "blas": r"BLAS_INFO=(\w+)",
        "mkl": r"Math Kernel Library Version ([\w.]+)",
        "onednn": r"(?:MKL-DNN|oneDNN) v([\w.]+)",
        "openmp": r"OpenMP (\d+)",
        "revision": r"COMMIT_SHA=([0-9a-f]+)",
    }
    found = {name: re.search(pattern, config) for name, pattern in patterns.items()}
    return {"version": torch.__version__} | {
        name: match and match[1] for name, match in found.items()
    }


def kind_of(machine: Mapping[str, Any], threads: int) -> dict[str, Any]:
    """What decides about the bits of a run on the processor: machines of one kind must agree."""
    processor, build = machine["processor"], machine["torch"]
    libraries = [f"{name} {build[name]}" for name in ("mkl", "onednn", "openmp") if build[name]]
    capping = {
        name: value
        for name, value in machine["variables"].items()
        if re.search(r"ISA|INSTRUCTIONS|DEBUG|CBWR|DETERMINISTIC|FPMATH", name)
    }
    return {
        "vendor": processor["vendor"],
        "family": processor["family"],
        "model": processor["model"],
        "flags": machine["flags"],
        "capability": machine["capability"]["used"],
        "threads": threads,
        "torch": build["version"].partition("+")[0],
        "blas": ", ".join([str(build["blas"]), *libraries]),
        "variables": capping,
    }


def system_text(path: Path) -> str:
    """What the system tells in a file; empty where it has no such file."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
