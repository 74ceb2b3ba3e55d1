"""What the numbers were measured on, and how its processes are started."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.product import compose_config
from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.environment import describe_environment


def describe_machine(device_type: str) -> dict[str, Any]:
    """Hardware, versions, threads, revision and load."""
    described = describe_environment(
        select_device(compose_config(f"device={device_type}").device), {}
    )
    # Neither paths nor hashes of the data belong to the machine.
    del described["command"], described["data_sha256"]
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {**described, "logical_cores": os.cpu_count(), "load_average": load}


@dataclass(frozen=True)
class Finished:
    """A process that has ended as it should."""

    seconds: float
    """Wall-clock time from its start to its end, as someone at the shell sees it."""
    stdout: str


def run_python(arguments: Sequence[str], folder: Path, exit_code: int = 0) -> Finished:
    """Run this Python with arguments, in a folder, and wait for it.

    Raises:
        RuntimeError: it ended with another exit code.
    """
    paths = [
        str(Path(path).resolve())
        for path in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if path
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if ended.returncode != exit_code:
        raise RuntimeError(
            f"{' '.join(arguments)} ended with exit code"
            f" {ended.returncode}:\n{ended.stderr[-2000:]}"
        )
    return Finished(seconds, ended.stdout)
