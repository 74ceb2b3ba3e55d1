"""Whole commands, as a user starts them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests import forked_commands


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float


Command = Callable[..., Ended]

QUICK = (
    "device=cpu",
    "data.train_limit=640",
    "data.validation_limit=200",
    "data.test_limit=200",
    "trainer.epochs=1",
    "tracker=none",
)


FORKED = {
    "mnist_trainer": "train",
    **{f"mnist_trainer.cli.{name}": name for name in ("eval", "predict", "export", "report")},
}


READ_LATE = {"SECRET", "FORCE_COLOR", "TTY_COMPATIBLE", "MNIST_TRAINER_TRACEBACK"}
"""Variables that are read once a command runs, so that a fork may have others."""


@pytest.fixture(scope="session")
def forks(
    data_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["forked_commands.Forks"]:
    """Whole commands in forks of a process that has imported everything: of the three seconds that
    a short command takes two go to imports."""
    from tests.forked_commands import Forks

    place, cache = tmp_path_factory.mktemp("forks"), str(data_root.parent)
    with Forks(place, loaded=data_root, XDG_CACHE_HOME=cache) as started:
        yield started


@pytest.fixture
def mnist_train(data_root: Path, tmp_path: Path, forks: "forked_commands.Forks") -> Command:
    """Run ``mnist-train`` with the words, in ``tmp_path``, on data that is unpacked already: in a
    fork, or in a process of its own where a variable or the launcher asks for one."""

    def run(
        *words: str,
        module: str = "mnist_trainer",
        on_data: bool = True,
        cwd: Path = tmp_path,
        **environment: str,
    ) -> Ended:
        cache = {"XDG_CACHE_HOME": str(data_root.parent), "COLUMNS": "200"}
        asks = any(word.startswith("-") and word != "-m" for word in words)
        data = [f"data.root={data_root}"] if on_data and not asks else []
        launchers = [word for word in words if word.startswith("hydra/launcher")]
        launches = launchers not in ([], ["hydra/launcher=vectorized"])
        if module in FORKED and environment.keys() <= READ_LATE and not launches:
            return forks.run(
                FORKED[module], *words, *data, cwd=cwd, timeout=120, environment=environment
            )
        started = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", module, *words, *data],
            cwd=cwd,
            env={**os.environ, **cache, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr, time.perf_counter() - started)

    return run


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(data_root: Path, tmp_path: Path) -> Start:
    """Start ``mnist-train`` and do not wait for it."""

    def started(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "mnist_trainer", *words, f"data.root={data_root}"]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return started


def wait_for_step(
    folder: Path, step: int, process: subprocess.Popen[str], seconds: float = 100
) -> None:
    """Wait until the metrics of a run have come to a step."""
    for _ in range(int(seconds * 200)):
        text = (folder / "metrics.jsonl").read_text() if (folder / "metrics.jsonl").exists() else ""
        lines = text.splitlines()
        if lines and lines[-1].endswith("}") and json.loads(lines[-1])["step"] >= step:
            return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise AssertionError(f"the run never came to step {step}: {process.communicate()[1]}")
