"""The spread of a recipe over seeds: runs that are there, and further ones that are trained."""

import itertools
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mnist_trainer.compute.device import Device
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.launch.reproduce.outcome import Outcome, read_outcome
from mnist_trainer.report.analysis.differences import source_differences
from mnist_trainer.report.analysis.statistics import prediction_interval
from mnist_trainer.runs.config_hash import is_unhashed
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.latest import record_latest, runs_below

CONFIDENCE = 0.99
"""Of all intervals together: one of a hundred further seeds falls outside of any."""
MAX_SIBLINGS = 200


@dataclass(frozen=True)
class SeedTest:
    """One number of a run, and the interval that a further seed falls into."""

    name: str
    value: float
    low: float
    high: float
    seeds: int
    """Runs that the interval is made from."""

    @property
    def fits(self) -> bool:
        return self.low <= self.value <= self.high


def other_seeds(original: Outcome) -> list[Outcome]:
    """Completed runs beside the original, as in a sweep, that differ from it in the seed alone: of
    the same settings, and of the same code as far as both recorded it."""
    wanted = _recipe(original.config)
    beside = itertools.islice(runs_below(original.folder.path.parent), MAX_SIBLINGS)
    runs = (read_outcome(RunFolder(path)) for path in beside if path != original.folder.path)
    found: dict[Any, Outcome] = {}
    for run in runs:
        seed = run.config.get("seed")
        same = _recipe(run.config) == wanted and not source_differs(original, run)
        if run.result and same and seed != original.config.get("seed"):
            found.setdefault(seed, run)
    return list(found.values())


def source_differs(a: Outcome, b: Outcome) -> bool:
    """Whether two runs are known to be of different code."""
    return any(each.matters for each in source_differences(a.environment, b.environment))


def _recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if not is_unhashed(key) and key != "seed"}


def train_seeds(
    config: RunConfig, device: Device, used: Sequence[Any], count: int, place: Path
) -> Iterator[Outcome]:
    """Train the recipe with further seeds, in folders of their own.

    Args:
        config: with the seed of the original.
        used: seeds that there are runs of.
        place: folder that the runs go to.
    """
    from mnist_trainer.training.run import train
    from mnist_trainer.training.tracking.terminal import Terminal

    free = (seed for seed in itertools.count() if seed not in used)
    for seed in itertools.islice(free, count):
        folder = RunFolder(place / f"seed-{seed}")
        folder.path.mkdir(parents=True)
        plain = {**config.plain, "seed": seed, "reproduce": None}
        seeded = replace(config, seed=seed, plain=plain)
        train(seeded, folder, time.perf_counter(), Terminal(), device=device)
        record_latest(RunFolder(place.parent))
        yield read_outcome(folder)


def compare_with_seeds(again: Outcome, runs: Sequence[Outcome]) -> list[SeedTest]:
    """Whether a run lies where a further seed of the recipe would.

    The intervals share an error of ``1 - CONFIDENCE`` (Bonferroni).

    Args:
        runs: of the recipe, the original among them; at least 2.
    """
    finals, tests = [run.final() for run in runs], []
    value = again.final()
    names = [name for name in value if all(name in final for final in finals)]
    images = max((_test_images(run) for run in runs), default=1)
    for name in names:
        resolution = 1 / images if name == "test accuracy" else 0.0
        confidence = 1 - (1 - CONFIDENCE) / len(names)
        low, high = prediction_interval([each[name] for each in finals], confidence, resolution)
        most = 1.0 if name == "test accuracy" else math.inf
        tests.append(SeedTest(name, value[name], max(low, 0.0), min(high, most), len(runs)))
    return tests


def _test_images(run: Outcome) -> int:
    test = run.result.get("test")
    images = test.get("images") if isinstance(test, dict) else None
    return images if isinstance(images, int) and images > 0 else 1
