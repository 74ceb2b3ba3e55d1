"""Versions, hardware and revision of a run, as ``environment.json`` records them."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import torch

from mnist_trainer.compute.device import Device, cpu_name
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
        "git_revision": _git_revision(),
        "data_sha256": dict(data_sha256),
    }


def _git_revision() -> str | None:
    """Git revision of the working directory, "+changes" if it is modified; None outside of one."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changes"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
