"""How long the commands take to answer, beside the imports that a program with PyTorch cannot do
without."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.machine import run_python
from benchmarks.product import compose_config
from benchmarks.results import Case, Report
from benchmarks.timing import interleave
from mnist_trainer.data.loading import load_dataset

PYTHON, TORCH = "python -c pass", 'python -c "import torch"'
# What is shown, what is run, and the exit code that it promises.
COMMANDS: dict[str, tuple[Sequence[str], int]] = {
    PYTHON: (["-c", "pass"], 0),
    TORCH: (["-c", "import torch"], 0),
    "mnist-train --help": (["-m", "mnist_trainer", "--help"], 0),
    "mnist-train --cfg job": (["-m", "mnist_trainer", "--cfg", "job"], 0),
    "mnist-train trainer.epoch=5 (a mistake)": (["-m", "mnist_trainer", "trainer.epoch=5"], 2),
    "mnist-train experiment=fast99": (
        ["-m", "mnist_trainer", "experiment=fast99", "device=cpu"],
        0,
    ),
}


def measure_startup(rounds: int) -> Report:
    """Seconds from start to end of commands that train nothing, and of the quickest that trains."""
    load_dataset(compose_config().data)
    with tempfile.TemporaryDirectory() as folder:
        turns = {
            name: command_turn(words, Path(folder), code)
            for name, (words, code) in COMMANDS.items()
        }
        outcomes = interleave(turns, rounds)
    compared = [(name, TORCH) for name in COMMANDS if name not in (PYTHON, TORCH)]
    method = (
        f"Seconds from the start of a process to its end: {rounds} rounds, one process of each kind"
        " in every round."
    )
    return Report(
        "startup",
        method,
        [Case("whole process", "seconds", outcomes, compared)],
        {"rounds": rounds},
    )


def command_turn(words: Sequence[str], folder: Path, exit_code: int) -> Callable[[], float]:
    """One process: its seconds."""
    return lambda: run_python(words, folder, exit_code).seconds
