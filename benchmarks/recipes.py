"""Whole runs from the shell: named experiments beside the best published quick recipe, seed by seed
in turns."""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.machine import run_python
from benchmarks.product import compose_config
from benchmarks.results import Case, Report, UnavailableError
from benchmarks.timing import interleave
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.data.cache import cache_root
from mnist_trainer.data.loading import load_dataset

PUBLISHED = "published quick recipe"
QUICK_RECIPE = Path(__file__).with_name("quick_recipe.py")


@dataclass(frozen=True)
class Outcome:
    """What one whole run came to."""

    accuracy: float
    """Share of the 10,000 test images."""
    inside: float
    """Seconds for training and tests, as the run itself measures them: no imports, no reading of
    data."""
    whole: float
    """Seconds from the start of the process to its end."""


def measure_recipes(
    name: str,
    experiments: Sequence[str],
    seeds: int,
    warm_up: int,
    train_limit: int | None = None,
    extra: Sequence[str] = (),
) -> Report:
    """Accuracy and time of experiments and of the published recipe.

    Args:
        name: of the report.
        warm_up: runs of each that do not count.
        train_limit: trains on that many images only, to try out the benchmark itself.
        extra: further overrides for the experiments.

    Raises:
        UnavailableError: there is no such experiment.
    """
    if missing := [
        experiment for experiment in experiments if experiment not in group_choices("experiment")
    ]:
        raise UnavailableError(
            f"there is no experiment={missing[0]}; there are:"
            f" {', '.join(group_choices('experiment'))}"
        )
    data = compose_config().data
    load_dataset(data)
    limits = [f"data.train_limit={train_limit}"] if train_limit else []
    turns: dict[str, Callable[[], Outcome]] = {
        PUBLISHED: published_turn(cache_root(data), warm_up, train_limit)
    }
    for experiment in experiments:
        turns[experiment] = experiment_turn(experiment, warm_up, [*limits, *extra])
    outcomes = interleave(turns, seeds, warm_up)
    compared = [(PUBLISHED, experiment) for experiment in experiments]
    cases = [
        Case(
            "accuracy",
            "accuracy",
            {way: [one.accuracy for one in runs] for way, runs in outcomes.items()},
        ),
        Case(
            "training and test",
            "seconds",
            {way: [one.inside for one in runs] for way, runs in outcomes.items()},
            compared,
        ),
        Case(
            "whole process",
            "seconds",
            {way: [one.whole for one in runs] for way, runs in outcomes.items()},
            compared,
        ),
    ]
    method = (
        f"Whole runs from the shell on the CPU, one after the other in turns, {seeds} seeds each."
        " Accuracy on the 10,000 test images: mean ± standard deviation. Training and test:"
        " without imports and reading of data, of the seconds that a run itself measures; whole"
        " process: from its start to its end, with everything that it writes."
    )
    return Report(
        name,
        method,
        cases,
        {"seeds": seeds, "overrides": [*limits, *extra], "train_limit": train_limit},
    )


def published_turn(root: Path, warm_up: int, train_limit: int | None) -> Callable[[], Outcome]:
    """Runs of the published recipe, each with the next seed; 0 is the first that counts."""
    seeds = count(-warm_up)
    limits = ["--train-limit", str(train_limit)] if train_limit else []

    def turn() -> Outcome:
        seed = max(0, next(seeds))
        with tempfile.TemporaryDirectory() as folder:
            finished = run_python(
                [str(QUICK_RECIPE), "--root", str(root), "--seed", str(seed), *limits], Path(folder)
            )
        result = json.loads(finished.stdout)
        inside = result["train_seconds"] + result["test_seconds"]
        return told(PUBLISHED, seed, Outcome(result["accuracy"], inside, finished.seconds))

    return turn


def experiment_turn(
    experiment: str, warm_up: int, overrides: Sequence[str]
) -> Callable[[], Outcome]:
    """Runs of an experiment, each with the next seed; 0 is the first that counts."""
    seeds = count(-warm_up)

    def turn() -> Outcome:
        seed = max(0, next(seeds))
        with tempfile.TemporaryDirectory() as folder:
            words = [
                f"experiment={experiment}",
                f"seed={seed}",
                "device=cpu",
                *overrides,
                "hydra.run.dir=run",
            ]
            finished = run_python(["-m", "mnist_trainer", *words], Path(folder))
            result = json.loads((Path(folder) / "run" / "result.json").read_text(encoding="utf-8"))
        inside = result["seconds"]["train"] + result["seconds"]["eval"]
        return told(experiment, seed, Outcome(result["test"]["accuracy"], inside, finished.seconds))

    return turn


def told(way: str, seed: int, outcome: Outcome) -> Outcome:
    """Say what a run came to, because the next may take long."""
    text = (
        f"  {way}, seed {seed}: {100 * outcome.accuracy:.2f} %, {outcome.inside:.2f} s, whole"
        f" process {outcome.whole:.2f} s"
    )
    print(text, file=sys.stderr, flush=True)
    return outcome
