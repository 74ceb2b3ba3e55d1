"""``python -m mnist_trainer.doctor``: is this machine all right? One line for each thing that a run
needs."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.errors import ExitCode, UserError
from mnist_trainer.system.console import printable
from mnist_trainer.system.openmp import limit_openmp_spinning

NEEDED_BYTES = 200_000_000
"""MNIST unpacked, and a run or two."""
PYTHON_NEEDED = (3, 11)


@dataclass(frozen=True)
class Finding:
    """What a check came to."""

    name: str
    found: str
    advice: str | None = None
    """What is wrong and what to do; None where all is well."""


def main() -> None:
    """Entry point of the module."""
    with exit_codes("mnist_trainer.doctor"):
        limit_openmp_spinning()
        findings = examine()
        show(findings)
        sys.exit(
            ExitCode.ENVIRONMENT if any(finding.advice for finding in findings) else ExitCode.OK
        )


def examine() -> list[Finding]:
    """All checks, in the order in which a run would stumble."""
    return [
        python(),
        torch_and_torchvision(),
        hydra_and_omegaconf(),
        *attempt("devices", devices),
        writable("output folder", Path("outputs"), "hydra.run.dir=PATH"),
        writable("data cache", data_cache(), "data.root=PATH"),
        *attempt("embedded data", embedded_data),
    ]


def attempt(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    """What a check finds, or why it could not be made."""
    try:
        return check()
    except (UserError, OSError, ImportError, RuntimeError) as error:
        return [Finding(name, "failed", (str(error).splitlines() or [type(error).__name__])[0])]


def python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    needed = ".".join(map(str, PYTHON_NEEDED))
    return Finding(
        "Python",
        found,
        None if sys.version_info >= PYTHON_NEEDED else f"{needed} or newer is needed: install it",
    )


def torch_and_torchvision() -> Finding:
    """torchvision names the one version of torch that it was compiled against."""
    versions = [_version(name) for name in ("torch", "torchvision")]
    found = " with ".join(str(each) for each in versions)
    if None in versions:
        return Finding("torch, torchvision", found, "not installed: pip install mnist-trainer")
    needed = next(
        (line for line in requires("torchvision") or [] if re.match(r"torch\b(?!vision)", line)), ""
    )
    wanted = re.search(r"==\s*([\d.]+)", needed)
    # A build such as 2.14.1+cpu is of that version.
    if wanted and str(versions[0]).partition("+")[0] != wanted[1]:
        advice = (
            f"torchvision {versions[1]} belongs to torch {wanted[1]}: pip install"
            f" torch=={wanted[1]}"
        )
        return Finding("torch, torchvision", found, advice)
    return Finding("torch, torchvision", found)


def hydra_and_omegaconf() -> Finding:
    versions = [_version(name) for name in ("hydra-core", "omegaconf")]
    found = " with ".join(str(each) for each in versions)
    fits = all(
        str(each).startswith(start) for each, start in zip(versions, ("1.3", "2.3"), strict=True)
    )
    return Finding(
        "hydra, omegaconf",
        found,
        None if fits else "pip install 'hydra-core>=1.3.2,<1.4' 'omegaconf>=2.3,<2.4'",
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def devices() -> list[Finding]:
    """Each device that is here, and whether it can make one update of the weights."""
    import torch

    from mnist_trainer.compute.device import available_devices

    cores = os.cpu_count() or 1
    threads = torch.get_num_threads()
    advice = (
        None
        if threads <= cores
        else f"more than the {cores} cores: unset OMP_NUM_THREADS, or device.threads={cores}"
    )
    findings = [Finding("threads", f"{threads} of {cores} cores", advice)]
    for described in available_devices():
        kind, _, name = described.partition(" ")
        findings += attempt(f"one step on {kind}", partial(one_step, kind, name.strip("()")))
    return findings


def one_step(kind: str, name: str) -> list[Finding]:
    """Train a small network for one real step."""
    import torch
    from torch import nn

    from mnist_trainer.compute.device import Device
    from mnist_trainer.training.step import AutogradEngine, train_step

    place = torch.device(kind)
    device = Device(place, "fp32", torch.contiguous_format, name)
    layer = nn.Linear(784, 10)
    model = nn.Sequential(nn.Flatten(), layer).to(place)
    before = layer.weight.detach().clone()
    scaler = device.grad_scaler()
    outcome = train_step(
        AutogradEngine(model, nn.CrossEntropyLoss(), scaler, device),
        torch.optim.SGD(model.parameters(), lr=0.1),
        scaler,
        device,
        torch.rand(64, 1, 28, 28, device=place),
        torch.arange(64, device=place) % 10,
        batch_size=64,
        clip_norm=None,
        measure_norm=False,
    )
    learned = bool(outcome.finite) and not torch.equal(before, layer.weight)
    advice = (
        None
        if learned
        else (
            "a step changed no weights: run elsewhere with device=cpu, and update the driver of"
            f" {kind}"
        )
    )
    return [Finding(f"one step on {kind}", name, advice)]


def data_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("mnist-trainer", appauthor=False)


def writable(name: str, folder: Path, override: str) -> Finding:
    """Whether a folder, or what it would be made in, takes files; and whether there is room."""
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"x")
        free = shutil.disk_usage(place).free
    except OSError as error:
        return Finding(
            name,
            str(folder),
            f"cannot be written to ({error.strerror}): choose another place with {override}",
        )
    found = f"{folder}, {free / 1e9:,.1f} GB free"
    if free < NEEDED_BYTES:
        return Finding(
            name,
            found,
            f"less than {NEEDED_BYTES / 1e6:,.0f} MB are free: make room, or {override}",
        )
    return Finding(name, found)


def embedded_data() -> list[Finding]:
    """The official files inside the package."""
    from mnist_trainer.data.embedded import SHA256, embedded_file

    size = sum(len(embedded_file(name)) for name in SHA256)
    return [
        Finding(
            "embedded data",
            f"{len(SHA256)} files of MNIST, {size / 1e6:.0f} MB, SHA-256 as published",
        )
    ]


def show(findings: list[Finding]) -> None:
    """A table where a person watches, lines anywhere else."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        table = Table("check", "found", "", box=None, padding=(0, 2, 0, 0), header_style="dim")
        for finding in findings:
            table.add_row(
                finding.name,
                finding.found,
                f"[red]{finding.advice}[/red]" if finding.advice else "[green]ok[/green]",
            )
        Console(highlight=False).print(table)
        return
    for finding in findings:
        line = f"{finding.name:<20} {finding.advice or 'ok'}  ({finding.found})"
        print(printable(line))


if __name__ == "__main__":
    main()
