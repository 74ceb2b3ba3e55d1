"""Versions, hardware, code and variables of a run, as ``environment.json`` records them."""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_trainer.compute.device import Device, cpu_name
from mnist_trainer.compute.revision import describe_revision
from mnist_trainer.compute.source import describe_source
from mnist_trainer.system.version import package_version

PACKAGES = (
    "mnist-trainer",
    "torch",
    "torchvision",
    "hydra-core",
    "omegaconf",
    "numpy",
    "tensorboard",
    "rich",
)
# Variables that change how numbers are computed begin with one of these; none holds a secret.
ARITHMETIC_VARIABLES = (
    "ATEN_", "BLIS_", "CUBLAS_", "CUDA_", "CUDNN_", "DNNL_", "GOMP_", "GOTO_", "KMP_", "MKL_",
    "NVIDIA_TF32_OVERRIDE", "OMP_", "ONEDNN_", "OPENBLAS_", "PYTORCH_", "TORCH_", "VECLIB_",
)  # fmt: skip
# Set by the commands themselves, and changes no sum.
OURS = {"GOMP_SPINCOUNT"}
MAX_VALUE = 200
"""Characters of a variable's value that are kept."""


def describe_environment(
    device: Device, data_sha256: Mapping[str, str], world: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Everything needed to repeat a run besides its configuration, as plain values."""
    return {
        "command": [*sys.argv],
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "device": {"type": device.type, "name": device.name, "precision": device.precision},
        "cpu": {
            "name": cpu_name(),
            "threads": torch.get_num_threads(),
            "capability": torch.backends.cpu.get_cpu_capability(),
        },
        "cuda": torch.version.cuda,
        "world": dict(world or {"processes": 1}),
        "git_revision": describe_revision(Path.cwd()),
        "data_sha256": dict(data_sha256),
        "source": describe_source(),
        "variables": arithmetic_variables(),
        "torch_build": torch.__config__.show().strip().splitlines(),
        "installed": installed_packages(),
    }


def arithmetic_variables() -> dict[str, str]:
    """The environment variables that are set and may change how numbers are computed."""
    return {
        name: value[:MAX_VALUE]
        for name, value in sorted(os.environ.items())
        if name.startswith(ARITHMETIC_VARIABLES) and name not in OURS
    }


def installed_packages() -> dict[str, str]:
    """Name and version of every installed package that Python can import.

    By the names of their metadata folders: to read each one's metadata takes ten times as long.
    """
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        for path in folder.glob("*-*.dist-info") if folder.is_dir() else ():
            name, version = path.name.removesuffix(".dist-info").split("-", 1)
            # The first on the path is the one that is imported.
            found.setdefault(name.lower().replace("_", "-"), version)
    return dict(sorted(found.items()))
