"""``python -m mnist_trainer.doctor``: check what a run needs on this machine."""

import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import requires
from pathlib import Path

from mnist_trainer.cli.arguments import ArgumentParser, typed_words
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.errors import ExitCode, UserError
from mnist_trainer.system.console import make_console, make_table, printable
from mnist_trainer.system.cores import usable_cores
from mnist_trainer.system.files import data_cache_folder
from mnist_trainer.system.openmp import limit_openmp_spinning
from mnist_trainer.system.paths import real_path
from mnist_trainer.system.version import package_version

ABOUT = "Check what a run needs on this machine: versions, devices, folders, data."
NEEDED_BYTES = 200_000_000
"""MNIST unpacked, and a run or two."""


@dataclass(frozen=True)
class Finding:
    """The result of a check."""

    name: str
    found: str
    advice: str | None = None
    """What is wrong and what to do; None where all is well."""


def main() -> None:
    """Entry point of the command."""
    with exit_codes("mnist_trainer.doctor"):
        ArgumentParser("python -m mnist_trainer.doctor", ABOUT, "").parse_args(typed_words())
        limit_openmp_spinning()
        findings = examine()
        show(findings)
        failed = any(finding.advice for finding in findings)
        sys.exit(ExitCode.ENVIRONMENT if failed else ExitCode.OK)


def examine() -> list[Finding]:
    """Make all checks, in the order in which a run would fail."""
    return [
        Finding("Python", platform.python_version()),
        torch_and_torchvision(),
        hydra_and_omegaconf(),
        *attempt("devices", devices),
        writable("output folder", Path("outputs"), "hydra.run.dir=PATH"),
        writable("data cache", data_cache_folder(), "data.root=PATH"),
        *attempt("embedded data", embedded_data),
    ]


def attempt(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """Make a check; an error is a finding."""
    try:
        return check()
    except (UserError, OSError, ImportError, RuntimeError) as error:
        return [Finding(name, "failed", (str(error).splitlines() or [type(error).__name__])[0])]


def torch_and_torchvision() -> Finding:
    """Whether torch is the one version that torchvision was compiled against."""
    versions = [package_version(name) for name in ("torch", "torchvision")]
    found = " with ".join(map(str, versions))
    if None in versions:
        return Finding(
            "torch, torchvision",
            found,
            "not installed: pip install mnist-trainer's clone or wheel again",
        )
    wanted = re.search(r"\btorch==\s*([\d.]+)", " ".join(requires("torchvision") or []))
    # A build such as 2.14.1+cpu is of that version.
    if wanted is None or str(versions[0]).partition("+")[0] == wanted[1]:
        return Finding("torch, torchvision", found)
    advice = (
        f"torchvision {versions[1]} belongs to torch {wanted[1]}: pip install torch=={wanted[1]}"
    )
    return Finding("torch, torchvision", found, advice)


def hydra_and_omegaconf() -> Finding:
    """Whether Hydra and OmegaConf are of the supported versions."""
    versions = [str(package_version(name)) for name in ("hydra-core", "omegaconf")]
    fits = versions[0].startswith("1.3") and versions[1].startswith("2.3")
    advice = "pip install 'hydra-core>=1.3.2,<1.4' 'omegaconf>=2.3,<2.4'"
    return Finding("hydra, omegaconf", " with ".join(versions), None if fits else advice)


def devices() -> list[Finding]:
    """Check the number of threads, and one training step on each device."""
    import torch

    from mnist_trainer.compute.device import available_devices

    cores = usable_cores()
    threads = torch.get_num_threads()
    advice = f"more than the {cores} cores: unset OMP_NUM_THREADS, or device.threads={cores}"
    found = f"{threads} of {cores} cores"
    findings = [Finding("threads", found, advice if threads > cores else None)]
    for described in available_devices():
        kind, _, name = described.partition(" ")
        findings += attempt(f"one step on {kind}", partial(one_step, kind, name.strip("()")))
    return findings


def one_step(kind: str, name: str) -> list[Finding]:
    """Whether a training step on a device gives a finite loss and changes the weights."""
    import torch
    from torch import nn

    layer = nn.Linear(784, 10).to(kind)
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    images, labels = torch.rand(64, 784, device=kind), torch.arange(64, device=kind) % 10
    loss = nn.functional.cross_entropy(layer(images), labels)
    loss.backward()
    optimizer.step()
    learned = bool(loss.isfinite()) and not torch.equal(before, layer.weight)
    advice = (
        f"a step changed no weights: run elsewhere with device=cpu, and update the driver of {kind}"
    )
    return [Finding(f"one step on {kind}", name, None if learned else advice)]


def writable(name: str, folder: Path, override: str) -> Finding:
    """Whether a folder, or its nearest existing parent, takes files and has room for a run."""
    existing = real_path(folder)
    while not existing.exists():
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
        free = shutil.disk_usage(existing).free
    except OSError as error:
        advice = f"cannot be written to ({error.strerror}): choose another place with {override}"
        return Finding(name, str(folder), advice)
    advice = f"less than {NEEDED_BYTES / 1e6:,.0f} MB are free: make room, or {override}"
    found = f"{folder}, {free / 1e9:,.1f} GB free"
    return Finding(name, found, advice if free < NEEDED_BYTES else None)


def embedded_data() -> list[Finding]:
    """Whether the files of MNIST inside the package are the published ones."""
    from mnist_trainer.data.cache import SHA256
    from mnist_trainer.data.embedded import embedded_file

    size = sum(len(embedded_file(name)) for name in SHA256)
    found = f"{len(SHA256)} files of MNIST, {size / 1e6:.0f} MB, SHA-256 as published"
    return [Finding("embedded data", found)]


def show(findings: list[Finding]) -> None:
    """Print a table on a terminal, plain lines anywhere else."""
    if sys.stdout.isatty():
        table = make_table("check", "found", "result")
        for finding in findings:
            advice = f"[red]{finding.advice}[/red]" if finding.advice else "[green]ok[/green]"
            table.add_row(finding.name, finding.found, advice)
        make_console().print(table)
        return
    for finding in findings:
        print(printable(f"{finding.name:<20} {finding.advice or 'ok'}  ({finding.found})"))
