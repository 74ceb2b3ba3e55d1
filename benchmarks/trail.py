"""What the trail of a run costs: the time spent recording it, and the size of its file."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.product import compose_config
from benchmarks.results import Case, Report
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.terminal import Terminal
from mnist_trainer.training.trail import TrailRecorder

EXPERIMENTS = ("docs_fcn", "docs_cnn", "fast99")


def measure_trail(rounds: int, train_limit: int | None) -> Report:
    """Train whole runs, and measure the seconds inside of the recorder within each.

    A difference of two runs cannot show one percent on a machine that varies by ten.
    """
    runs = {name: [_run(name, train_limit) for _ in range(rounds)] for name in EXPERIMENTS}
    cases = [
        Case(
            name,
            "seconds",
            {
                "recording": [each["recording"] for each in found],
                "training": [each["training"] for each in found],
            },
            (("recording", "training"),),
        )
        for name, found in runs.items()
    ]
    method = (
        "Whole runs of each recipe. Recording: the seconds spent in the methods of the recorder,"
        " its writes included; training: result.json's seconds of training, in the same run."
    )
    sizes = {name: max(each["bytes"] for each in found) for name, found in runs.items()}
    return Report("trail", method, cases, {"bytes": sizes})


def _run(experiment: str, train_limit: int | None) -> dict[str, float]:
    limit = [] if train_limit is None else [f"data.train_limit={train_limit}"]
    config = compose_config(f"experiment={experiment}", "device=cpu", "tracker=none", *limit)
    stopwatch = Stopwatch()
    with (
        tempfile.TemporaryDirectory() as place,
        patch.object(TrailRecorder, "add", stopwatch.measured(TrailRecorder.add)),
        patch.object(TrailRecorder, "flush", stopwatch.measured(TrailRecorder.flush)),
    ):
        folder = RunFolder(Path(place) / "run")
        folder.path.mkdir()
        result = train(config, folder, time.perf_counter(), Terminal())
        size = folder.trail.stat().st_size
    return {"recording": stopwatch.seconds, "training": result.timing.seconds.train, "bytes": size}


class Stopwatch:
    """Adds up the time inside of functions; of one that another one calls only once."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_running = False

    def measured(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self.is_running:
                return function(*arguments, **options)
            started, self.is_running = time.perf_counter(), True
            try:
                return function(*arguments, **options)
            finally:
                self.seconds += time.perf_counter() - started
                self.is_running = False

        return call
