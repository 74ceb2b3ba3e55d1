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
from statistics import mean, stdev
from typing import Any

import torch

from benchmarks.machine import describe_machine
from benchmarks.product import compose_config
from benchmarks.results import RESULTS
from mnist_trainer.errors import DivergedError
from mnist_trainer.launch.find_lr.files import JSON_FILE
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.files import atomic_write
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.terminal import Terminal

FILE = "learning_rates.json"
SEEDS = (0, 1, 2)
EPOCHS = 1
"""860 updates; 215 where a quarter of the images is used."""
CHANCE = 0.1
"""Accuracy that a run counts with that diverged."""
NUM_BEST = 2
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
    Recipe("fcn", "muon", train_limit=13_750),
)


@dataclass(frozen=True)
class Job:
    """One run."""

    recipe: Recipe
    rate: float
    seed: int


def pending(
    recipes: Sequence[Recipe], runs: list[dict[str, Any]], found: Sequence[dict[str, Any]]
) -> Iterator[Job]:
    """The runs that are missing, most telling ones first: one seed of the inner rates, of an outer
    one where the best lies beside it, further seeds of the rate that was found and of the best, the
    rest. Runs may be added meanwhile."""
    for chosen, seeds in (
        (lambda recipe: RATES[recipe.optimizer][1:-1], SEEDS[:1]),
        (lambda recipe: beside_best(recipe, runs), SEEDS[:1]),
        (lambda recipe: [each["recommended"] for each in found if recipe.holds(each)], SEEDS),
        (lambda recipe: rates_by_accuracy(recipe, runs)[:NUM_BEST], SEEDS),
        (lambda recipe: RATES[recipe.optimizer], SEEDS),
    ):
        for recipe in recipes:
            for seed in seeds:
                for rate in chosen(recipe):
                    if find(runs, recipe, rate, seed) is None:
                        yield Job(recipe, rate, seed)


def beside_best(recipe: Recipe, runs: list[dict[str, Any]]) -> Sequence[float]:
    """The best rate of a recipe by the first seed, and its neighbours."""
    rates = RATES[recipe.optimizer]
    place = rates.index(rates_by_accuracy(recipe, runs)[0])
    return rates[max(0, place - 1) : place + 2]


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


def same_recipe(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Whether two entries are of the same recipe."""
    return (a["model"], a["optimizer"]) == (b["model"], b["optimizer"])


def read_found(folder: Path) -> dict[str, Any]:
    """What ``mnist-train --find-lr`` has named, from the folder that it wrote."""
    content = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    kept = ("recommended", "named", "settings", "seed", "start_loss", "points", "words")
    return {
        "model": content["choices"]["model"],
        "optimizer": content["choices"]["optimizer"],
        **{key: content[key] for key in kept},
    }


def accuracies(recipe: Recipe, rate: float, runs: list[dict[str, Any]]) -> list[float]:
    """Validation accuracy of each run with a rate; chance where it diverged."""
    mine = (run for run in runs if recipe.holds(run) and run["rate"] == rate)
    return [CHANCE if run["accuracy"] is None else run["accuracy"] for run in mine]


def table(content: dict[str, Any]) -> str:
    """What was named beside the best rate of the grid, in Markdown: a row for each recipe."""
    lines = [
        "| recipe | `--find-lr` names | its accuracy in % | best of the grid | its accuracy in %"
        " | below the best | runs missing |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for recipe in RECIPES:
        found = next((each for each in content["found"] if recipe.holds(each)), None)
        grid = {rate: accuracies(recipe, rate, content["runs"]) for rate in RATES[recipe.optimizer]}
        missing = sum(len(SEEDS) - len(values) for values in grid.values())
        full = {rate: values for rate, values in grid.items() if len(values) == len(SEEDS)}
        cells = [f"{recipe.model} {recipe.optimizer}", "", "", "", "", "", str(missing)]
        if full:
            best = max(full, key=lambda rate: mean(full[rate]))
            cells[3:5] = [f"{best:g}", _spread(full[best])]
        if found:
            cells[1] = f"{found['recommended']:g}"
            own = accuracies(recipe, found["recommended"], content["runs"])
            if len(own) == len(SEEDS):
                cells[2] = _spread(own)
                cells[5] = f"{100 * (mean(full[best]) - mean(own)):.2f}" if full else ""
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    return f"{100 * mean(values):.2f} ± {100 * stdev(values):.2f}"


def read(path: Path) -> dict[str, Any]:
    """What was kept; nothing yet where there is no file."""
    if path.exists():
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return content
    return {"name": "learning_rates", "method": METHOD, "runs": [], "found": []}


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
    found = "folder that mnist-train --find-lr wrote: its rate is trained with all seeds"
    add("--found", nargs="+", type=Path, default=[], metavar="FOLDER", help=found)
    add("--table", action="store_true", help="print the table, and train nothing")
    add("--train-limit", type=int, help="train on the first N images only, to try things out")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    """Make the runs that are missing, one after the other."""
    arguments = parse(words)
    path = arguments.output / FILE
    content = read(path)
    found = [read_found(folder) for folder in arguments.found]
    kept = [each for each in content["found"] if not any(same_recipe(each, new) for new in found)]
    content["found"] = [*kept, *found]
    if arguments.table:
        print(table(content))
        return
    content["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    content["environment"] = describe_machine("cpu")
    torch.set_num_threads(1)
    recipes = [each for each in RECIPES if f"{each.model}-{each.optimizer}" in arguments.only]
    for job in pending(recipes, content["runs"], content["found"]):
        run = make_run(job, arguments.train_limit)
        content["runs"].append(run)
        keep(path, content)
        print(json.dumps(run), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
