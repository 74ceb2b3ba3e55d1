"""Runs of several processes, as torchrun starts them."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

START = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@dataclass(frozen=True)
class Started:
    """A torchrun that is under way."""

    process: "subprocess.Popen[str]"

    def ranks(self) -> dict[int, int]:
        """Rank to process id."""
        agent = self.process.pid
        children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
        found: dict[int, int] = {}
        for child in children:
            variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
            found |= {
                int(each.removeprefix(b"RANK=")): int(child)
                for each in variables
                if each.startswith(b"RANK=")
            }
        return found

    def end(self, timeout: float) -> tuple[int, str, str]:
        """Exit code, output and errors; the process is killed where it takes longer."""
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode, out, err


def start(
    words: tuple[str, ...],
    cwd: Path,
    data_root: Path,
    options: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> Started:
    """Two processes of ``mnist-train`` with the words; options are torchrun's own."""
    return Started(
        subprocess.Popen(
            [*START, *options, "-m", "mnist_trainer", *words, f"data.root={data_root}"],
            cwd=cwd,
            env={**os.environ, "COLUMNS": "200", **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )


def wait_for(path: Path, seconds: float = 60) -> None:
    """Wait until there is a file."""
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            raise TimeoutError(f"no {path} within {seconds} s")
        time.sleep(0.02)
