"""Versions, hardware and revision of a run, as ``environment.json`` records them."""

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mnist_trainer.compute.device import Device, cpu_name
from mnist_trainer.compute.revision import describe_revision
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
        "git_revision": describe_revision(Path.cwd()),
        "data_sha256": dict(data_sha256),
    }
