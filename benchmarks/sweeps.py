"""A sweep with each of the launchers of this machine, in turns."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks.machine import run_python
from benchmarks.product import compose_config
from benchmarks.results import Case, Report
from benchmarks.timing import interleave
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.system.optional_packages import is_installed

JOBS, EPOCHS = 8, 2
ONE_BY_ONE, PROCESSES, JOBLIB = "basic", "processes", "joblib"


def measure_sweeps(rounds: int, train_limit: int | None = None) -> Report:
    """Seconds of a sweep of the tutorial's FCN, from the shell to the table.

    Args:
        train_limit: trains on that many images only, to try out the benchmark itself.
    """
    load_dataset(compose_config().data)
    limits = [f"data.train_limit={train_limit}"] if train_limit else []
    ways = [ONE_BY_ONE, PROCESSES]
    if is_installed("joblib") and is_installed("hydra_plugins.hydra_joblib_launcher"):
        ways.append(JOBLIB)
    with tempfile.TemporaryDirectory() as folder:
        turns = {way: sweep_turn(way, limits, Path(folder)) for way in ways}
        outcomes = interleave(turns, rounds, warm_up=0)
    compared = [(ONE_BY_ONE, way) for way in ways[1:]]
    method = (
        f"Seconds from the start of a command to its end, a sweep of {JOBS} seeds of docs_fcn with"
        f" {EPOCHS} epochs each: {rounds} rounds, one sweep with each launcher in every round."
        " basic trains one job after the other, each with all cores; the others one for each core."
    )
    return Report(
        "sweeps", method, [Case("8 runs", "seconds", outcomes, compared)], {"rounds": rounds}
    )


def sweep_turn(launcher: str, limits: list[str], folder: Path) -> Callable[[], float]:
    """One sweep: its seconds."""
    numbers = count()

    def turn() -> float:
        words = ["-m", "mnist_trainer", "-m", f"hydra/launcher={launcher}", "experiment=docs_fcn"]
        words += ["device=cpu", f"trainer.epochs={EPOCHS}", f"seed=range({JOBS})", *limits]
        return run_python([*words, f"sweep={launcher}-{next(numbers)}"], folder).seconds

    return turn
