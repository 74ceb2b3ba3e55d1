"""Whole commands, as a user starts them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest


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


@pytest.fixture
def mnist_train(data_root: Path, tmp_path: Path) -> Command:
    """Run ``mnist-train`` with the words, in ``tmp_path``, on data that is unpacked already."""

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
