"""Launchers and sweepers that are installed beside Hydra: which extra brings each, and what a
configuration may tell it.

No torch here: a mistake is answered before it is imported.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.config.allow_list import TRUST_VARIABLE, is_trusted
from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.system.optional_packages import is_installed


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
SUBMITIT = "hydra_plugins.hydra_submitit_launcher.submitit_launcher"
RAY = "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher"
OPTUNA = "mnist_trainer.launch.hydra.optuna_sweeper.OptunaSweeper"
EXTRAS = {
    JOBLIB: Extra("joblib", "joblib", "hydra/launcher=joblib"),
    f"{SUBMITIT}.LocalLauncher": Extra("submitit", "submitit", "hydra/launcher=submitit_local"),
    f"{SUBMITIT}.SlurmLauncher": Extra("submitit", "submitit", "hydra/launcher=submitit_slurm"),
    RAY: Extra("ray", "ray", "hydra/launcher=ray"),
    OPTUNA: Extra("optuna", "optuna", "hydra/sweeper=optuna"),
}
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
VECTORIZED = "mnist_trainer.launch.hydra.vectorized_launcher.VectorizedLauncher"
PROCESSES = "mnist_trainer.launch.hydra.process_launcher.ProcessLauncher"
PROCESSES_CHOICE = "hydra/launcher=processes"
IN_THIS_PROCESS = (BASIC_LAUNCHER, VECTORIZED)
"""Launchers that start no other processes."""
PRUNERS = (
    *("Median", "Percentile", "Hyperband", "SuccessiveHalving", "Threshold", "Patient", "Nop"),
)
# What Hydra's section of a configuration may have instantiated.
TARGETS = frozenset(
    {
        *(*IN_THIS_PROCESS, PROCESSES, BASIC_SWEEPER, *EXTRAS),
        *(f"optuna.samplers.{name}Sampler" for name in ("TPE", "Random", "CmaEs", "NSGAII")),
        *(f"optuna.pruners.{name}Pruner" for name in PRUNERS),
    }
)
# Keys of the Optuna sweeper of version 0.1, with what takes their place.
IN_THE_SWEEP = "the study is optuna.journal in the sweep's folder; name that: sweep=NAME"
IN_OVERRIDES = "type the search space as overrides: 'optimizer.lr=tag(log,interval(0.001,1))'"
REMOVED_KEYS = {
    "storage": IN_THE_SWEEP,
    "study_name": IN_THE_SWEEP,
    "search_space": IN_OVERRIDES,
    "custom_search_space": IN_OVERRIDES,
}
# The one interpolation in the section of a launcher: a folder inside that of the sweep.
JOB_LOGS = "${hydra.sweep.dir}/.submitit/%j"
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
RAY_ADDRESSES = (None, "local", "auto")


def require_extras(hydra: Mapping[str, Any]) -> None:
    """Refuse a launcher or sweeper whose packages are not installed.

    Raises:
        MachineError: names the package to install.
    """
    for section in ("launcher", "sweeper"):
        extra = EXTRAS.get(str((hydra.get(section) or {}).get("_target_")))
        if extra is None:
            continue
        module = f"hydra_plugins.hydra_{extra.name}_launcher" if section == "launcher" else "optuna"
        if not is_installed(extra.package) or not is_installed(module):
            plugin = module.rpartition(".")[2].replace("_", "-")
            raise MachineError(
                f"{extra.choice} is not installed. Get it with: pip install {plugin}"
            )


def launcher_problems(hydra: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each thing that a launcher or sweeper would run, or believe, unchecked."""
    launcher, sweeper = (hydra.get(section) or {} for section in ("launcher", "sweeper"))
    for section in ("launcher", "sweeper", "callbacks"):
        yield from _text_problems(hydra.get(section), f"hydra.{section}")
    for key in ("setup", "additional_parameters"):
        if launcher.get(key) and not is_trusted(f"hydra.launcher.{key}"):
            yield (
                f"hydra.launcher.{key}={launcher[key]} would run in a shell:"
                f" {TRUST_VARIABLE}=hydra.launcher admits it"
            )
    removed = ((key, sweeper.get(key)) for key in REMOVED_KEYS)
    yield from (f"hydra.sweeper.{k}={v}: {REMOVED_KEYS[k]}" for k, v in removed if v is not None)
    if isinstance(ray := launcher.get("ray"), Mapping):
        yield from _ray_problems(ray)


def _text_problems(node: object, key: str) -> Iterator[str]:
    for where, value in texts(node, key):
        if "${" in value and value != JOB_LOGS:
            yield f"{where}={value} may not be an interpolation"
        elif "\n" in value or "\r" in value:
            yield f"{where}={value!r} may not have several lines"


def _ray_problems(ray: Mapping[str, Any]) -> Iterator[str]:
    for section, known in RAY_KEYS.items():
        given = ray.get(section)
        for key in sorted(given.keys() - known if isinstance(given, Mapping) else ()):
            yield f"hydra.launcher.ray.{section}.{key} is not one of: {', '.join(sorted(known))}"
    address = (ray.get("init") or {}).get("address")
    if address not in RAY_ADDRESSES:
        yield (
            f"hydra.launcher.ray.init.address={address}: name a cluster by"
            f" RAY_ADDRESS={address} in the shell"
        )


def texts(node: object, key: str) -> Iterator[tuple[str, str]]:
    """Each text in a nest of mappings and lists, names of keys included, with its dotted key."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield key, str(name)
            yield from texts(value, f"{key}.{name}")
    elif isinstance(node, str):
        yield key, node
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from texts(value, f"{key}[{index}]")


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
