"""Launchers and sweepers that are installed beside Hydra: which extra brings each, and what a
configuration may tell it.

No torch here: a mistake is answered before it is imported.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.config.allow_list import TRUST_VARIABLE, is_trusted
from mnist_trainer.errors import ConfigError, MachineError


@dataclass(frozen=True)
class Extra:
    """What has to be installed for a plugin."""

    name: str
    """Of the optional dependencies of this package."""
    package: str
    """What the plugin cannot do without."""
    choice: str
    """As it is typed."""


JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
OPTUNA = "mnist_trainer.launch.hydra.optuna_sweeper.OptunaSweeper"
EXTRAS = {
    JOBLIB: Extra("joblib", "joblib", "hydra/launcher=joblib"),
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher": Extra(
        "submitit", "submitit", "hydra/launcher=submitit_local"
    ),
    "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher": Extra(
        "submitit", "submitit", "hydra/launcher=submitit_slurm"
    ),
    RAY: Extra("ray", "ray", "hydra/launcher=ray"),
    OPTUNA: Extra("optuna", "optuna", "hydra/sweeper=optuna"),
}
# Ray runs what it is told to set up, and believes what a cluster sends it.
RAY_KEYS = {
    "init": {
        "address",
        "num_cpus",
        "num_gpus",
        "include_dashboard",
        "log_to_driver",
        "object_store_memory",
        "_node_ip_address",
    },
    "remote": {"num_cpus", "num_gpus", "memory", "max_retries"},
}
# Keys of the Optuna sweeper of version 0.1, with what takes their place.
IN_THE_SWEEP = (
    "the study is always optuna.journal in the folder of the sweep. Leave this out, and name the"
    " sweep: sweep=NAME"
)
IN_OVERRIDES = (
    "a search space is typed as overrides. Leave this out, and type for example:"
    " 'optimizer.lr=tag(log,interval(0.001,1))'"
)
NO_LONGER_OFFERED = {
    "storage": IN_THE_SWEEP,
    "study_name": IN_THE_SWEEP,
    "search_space": IN_OVERRIDES,
    "custom_search_space": IN_OVERRIDES,
}
RAY_ADDRESSES = (None, "local", "auto")


def require_extras(hydra: Mapping[str, Any]) -> None:
    """Raises:
    MachineError: the launcher or sweeper is not installed.
    """
    for section in ("launcher", "sweeper"):
        node = hydra.get(section)
        target = str(node.get("_target_")) if isinstance(node, Mapping) else ""
        extra = EXTRAS.get(target)
        if extra and not _is_installed(target.rpartition(".")[0].rpartition(".")[0], extra.package):
            raise MachineError(
                f"{extra.choice} is not installed. Get it with: pip install"
                f" 'mnist-trainer[{extra.name}]'"
            )


def _is_installed(*packages: str) -> bool:
    try:
        return all(importlib.util.find_spec(package) is not None for package in packages)
    except ModuleNotFoundError:
        return False


def hazards(hydra: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each thing that a launcher or sweeper would run, or believe, unchecked."""
    launcher, sweeper = (
        each if isinstance(each := hydra.get(name), Mapping) else {}
        for name in ("launcher", "sweeper")
    )
    for key in ("setup", "additional_parameters"):
        if launcher.get(key) and not is_trusted(f"hydra.launcher.{key}"):
            yield (
                f"hydra.launcher.{key}={launcher[key]} would run in a shell:"
                f" {TRUST_VARIABLE}=hydra.launcher admits it"
            )
    if sweeper.get("_target_") == OPTUNA:
        yield from (
            f"hydra.sweeper.{key}={sweeper[key]}: {instead}"
            for key, instead in NO_LONGER_OFFERED.items()
            if sweeper.get(key) is not None
        )
    elif (search := sweeper.get("custom_search_space")) and not is_trusted(str(search)):
        yield f"hydra.sweeper.custom_search_space={search} is not on the list"
    for key, text in _texts(launcher, "hydra.launcher"):
        if "\n" in text or "\r" in text:
            yield f"{key}={text!r} may not have several lines"
    ray = launcher.get("ray")
    if isinstance(ray, Mapping):
        for section, known in RAY_KEYS.items():
            given = ray.get(section)
            unknown = given.keys() - known if isinstance(given, Mapping) else set()
            yield from (
                f"hydra.launcher.ray.{section}.{key} is not one of: {', '.join(sorted(known))}"
                for key in unknown
            )
        address = (ray.get("init") or {}).get("address")
        if address not in RAY_ADDRESSES:
            yield (
                f"hydra.launcher.ray.init.address={address}: name a cluster by"
                f" RAY_ADDRESS={address} in the shell"
            )


def _texts(node: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _texts(value, f"{key}.{name}")
    elif isinstance(node, str):
        yield key, node


def refuse_launcher_without_sweep(words: list[str]) -> None:
    """Raises:
    ConfigError: a launcher or sweeper is asked for where there are no jobs to launch.
    """
    if named := next(
        (word for word in words if word.startswith(("hydra/launcher=", "hydra/sweeper="))), None
    ):
        raise ConfigError(
            f"{named}: starts the jobs of a sweep; add -m:\n  mnist-train -m {' '.join(words)}"
        )


def share_machine(
    launcher: Mapping[str, Any], job: int, environment: MutableMapping[str, str] = os.environ
) -> None:
    """In a job that runs beside others: one GPU of its own, and no live bars over those of its
    neighbours.

    Joblib gives each of its processes its share of the cores. A process keeps its GPU for all of
    its jobs, because CUDA looks only once; Ray and SLURM assign GPUs themselves. To be called
    before torch looks for GPUs.

    Args:
        job: its number in the sweep.
    """
    target = launcher.get("_target_")
    if target not in EXTRAS:
        return
    environment["TERM"] = "dumb"
    if target == JOBLIB and (gpu := assigned_gpu(job, environment)) is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu


def assigned_gpu(job: int, environment: Mapping[str, str]) -> str | None:
    """The GPU of a job, in turn among those that are visible; None where there is no choice."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        visible = ",".join(map(str, range(count_gpus())))
    gpus = [gpu.strip() for gpu in visible.split(",") if gpu.strip()]
    return gpus[job % len(gpus)] if len(gpus) > 1 else None


def count_gpus() -> int:
    """NVIDIA GPUs of this machine, without touching them."""
    import torch

    return torch.cuda.device_count()
