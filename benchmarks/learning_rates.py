"""``python -m benchmarks.learning_rates``: train each of eight rates of six recipes, and the rate
that ``mnist-train --find-lr`` names beside them; keep every run as JSON, so that it can be resumed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import describe_machine
from benchmarks.product import compose_config
from benchmarks.results import RESULTS
from mnist_trainer.errors import DivergedError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import atomic_write
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.terminal import Terminal

FILE = "learning_rates.json"
SEEDS = (0, 1, 2)
EPOCHS = 1
"""860 updates; half of them where half of the images are used."""
NUM_BEST = 3
"""Rates of a recipe that are trained with all seeds before the others are."""
RATES = {
    "sgd": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    "adam": (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02),
    "muon": (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
}
METHOD = (
    "Validation accuracy (5,000 images) at the end of a run with the constant rate, seeds 0, 1, 2,"
    " one thread. The test images are not looked at: data.test_limit=1."
)


@dataclass(frozen=True)
class Recipe:
    """What is trained with each rate."""

    model: str
    optimizer: str
    train_limit: int | None = None
    """Training images; None: all 55,000."""

    @property
    def words(self) -> list[str]:
        words = [f"model={self.model}", f"optimizer={self.optimizer}"]
        return words + ([f"data.train_limit={self.train_limit}"] if self.train_limit else [])

    def holds(self, run: dict[str, Any]) -> bool:
        """Whether a run is one of this recipe."""
        return (run["model"], run["optimizer"]) == (self.model, self.optimizer)


RECIPES = (
    Recipe("cnn", "sgd"),
    Recipe("fcn", "sgd"),
    Recipe("cnn", "adam"),
    Recipe("fcn", "adam"),
    Recipe("cnn", "muon"),
    # An update of this one takes ten times as long as of the others.
    Recipe("fcn", "muon", train_limit=27_500),
)


@dataclass(frozen=True)
class Job:
    """One run."""

    recipe: Recipe
    rate: float
    seed: int


def pending(recipes: Sequence[Recipe], runs: list[dict[str, Any]]) -> Iterator[Job]:
    """The runs that are missing, most telling ones first: one seed of every rate, further seeds of
    the best rates, the rest. Runs may be added meanwhile."""
    for stage in range(3):
        for recipe in recipes:
            ranked = rates_by_accuracy(recipe, runs)
            chosen = (RATES[recipe.optimizer], ranked[:NUM_BEST], ranked[NUM_BEST:])[stage]
            for seed in SEEDS[:1] if stage == 0 else SEEDS[1:]:
                for rate in chosen:
                    if find(runs, recipe, rate, seed) is None:
                        yield Job(recipe, rate, seed)


def rates_by_accuracy(recipe: Recipe, runs: list[dict[str, Any]]) -> list[float]:
    """The rates of a recipe, by the accuracy of the first seed, best first."""

    def accuracy(rate: float) -> float:
        run = find(runs, recipe, rate, SEEDS[0])
        return (run and run["accuracy"]) or 0.0

    return sorted(RATES[recipe.optimizer], key=accuracy, reverse=True)


def find(
    runs: list[dict[str, Any]], recipe: Recipe, rate: float, seed: int
) -> dict[str, Any] | None:
    """The run of a recipe, if it was made."""
    mine = (run for run in runs if recipe.holds(run))
    return next((run for run in mine if (run["rate"], run["seed"]) == (rate, seed)), None)


def make_run(job: Job, train_limit: int | None) -> dict[str, Any]:
    """Train with one rate; of a run that diverges the accuracy is None."""
    words = [*job.recipe.words, f"optimizer.lr={job.rate!r}", f"seed={job.seed}"]
    words += [f"trainer.epochs={EPOCHS}", "device=cpu", "device.threads=1"]
    words += ["tracker=none", "data.test_limit=1"]
    words += [f"data.train_limit={train_limit}"] if train_limit else []
    started, accuracy = time.perf_counter(), None
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        folder.path.mkdir()
        try:
            result = train(compose_config(*words), folder, started, Terminal())
            assert result.validation is not None
            accuracy = result.validation.accuracy
        except DivergedError:
            pass
    return {
        "model": job.recipe.model,
        "optimizer": job.recipe.optimizer,
        "rate": job.rate,
        "seed": job.seed,
        "train_limit": job.recipe.train_limit,
        "accuracy": accuracy,
        "seconds": round(time.perf_counter() - started, 2),
    }


def read(path: Path) -> dict[str, Any]:
    """What was kept; nothing yet where there is no file."""
    if path.exists():
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    return {"name": "learning_rates", "method": METHOD, "runs": [], "named": []}


def keep(path: Path, content: dict[str, Any]) -> None:
    """Keep all runs, after each: the next may take long."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode("utf-8"))


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Sort the command line; ends the program where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.learning_rates", description=__doc__
    )
    names = [f"{recipe.model}-{recipe.optimizer}" for recipe in RECIPES]
    add = parser.add_argument
    add("--only", nargs="+", choices=names, default=names, metavar="NAME", help=f"of: {names}")
    add("--output", type=Path, default=RESULTS, help=f"folder of {FILE}")
    add("--train-limit", type=int, help="train on the first N images only, to try things out")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Make the runs that are missing, one after the other."""
    arguments = parse(words)
    path = arguments.output / FILE
    content = read(path)
    content["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    content["environment"] = describe_machine("cpu")
    torch.set_num_threads(1)
    recipes = [each for each in RECIPES if f"{each.model}-{each.optimizer}" in arguments.only]
    for job in pending(recipes, content["runs"]):
        run = make_run(job, arguments.train_limit)
        content["runs"].append(run)
        keep(path, content)
        print(json.dumps(run), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
