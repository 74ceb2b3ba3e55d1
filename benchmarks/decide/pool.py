"""Train many short runs in one process, and keep what each has reached on its validation images.

    python -m benchmarks.decide.pool           the pools of comparisons: 6,000 + 2 * 300 tiny runs
    python -m benchmarks.decide.pool --prior   shipped recipes, for `mnist-train -m ... --plan`
    python -m benchmarks.decide.pool --cpu     the CPU seconds of one run of each of these

Each run is a whole one (`training.run.train`): it trains, validates, tests and writes its folder,
which is then dropped. A pool that was begun is gone on with.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.product import compose_config
from benchmarks.results import RESULTS
from mnist_trainer.compute.device import select_device
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import train
from mnist_trainer.training.tracking.terminal import Terminal

SHORT = (
    "model=fcn data.train_limit=500 data.validation_limit=2000 data.test_limit=100 tracker=none"
    " device=cpu"
)
SAVE_EVERY = 50
"""Runs between two writes of the file."""
LONG = 3.0
"""Seconds of a run after which the file is written at once."""


@dataclass(frozen=True)
class Recipe:
    """What is trained, and with how many seeds."""

    name: str
    words: str
    seeds: int


POOLS = (
    Recipe("64", f"{SHORT} model.hidden=[64] trainer.epochs=3", 300),
    Recipe("128", f"{SHORT} model.hidden=[128] trainer.epochs=3", 300),
    Recipe("16", f"{SHORT} model.hidden=[16] trainer.epochs=2", 6000),
)
PRIORS = (
    Recipe("fast99", "experiment=fast99 data.validation_size=5000 device=cpu tracker=none", 8),
    Recipe("linear", "model=linear device=cpu tracker=none", 6),
    Recipe("two_layer", "model=two_layer device=cpu tracker=none", 6),
    Recipe("fcn", "model=fcn device=cpu tracker=none", 6),
    Recipe("cnn", "model=cnn device=cpu tracker=none", 6),
)


def train_pool(recipe: Recipe, known: Mapping[str, Any]) -> Any:
    """Train the seeds that a pool lacks; yield it from time to time, and at its end."""
    config = compose_config(*recipe.words.split())
    device = select_device(config.device)
    correct, seconds = list(known.get("correct", ())), list(known.get("seconds", ()))
    images = known.get("images")
    for seed in range(len(correct), recipe.seeds):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as place:
            folder, silent = RunFolder(Path(place)), Terminal()
            result = train(replace(config, seed=seed), folder, started, silent, device=device)
        scores = result.as_json()["validation"]
        correct.append(scores["correct"])
        images = scores["images"]
        seconds.append(round(time.perf_counter() - started, 3))
        if len(correct) % SAVE_EVERY == 0 or seed == recipe.seeds - 1 or seconds[-1] > LONG:
            yield {
                "words": recipe.words,
                "epochs": config.trainer.epochs,
                "images": images,
                "correct": correct,
                "seconds": seconds,
            }


def add_cpu_seconds(path: Path) -> None:
    """Note the CPU seconds of a run of each recipe that lacks them: of one thread about what a
    machine that does nothing else takes, where the seconds on the clock say more about the others.
    Those of a run of one epoch, times the epochs.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    for recipe in PRIORS:
        if "cpu_seconds" in content["pools"][recipe.name]:
            continue
        config = compose_config(*recipe.words.split(), "trainer.epochs=1")
        epochs = content["pools"][recipe.name]["epochs"]
        device = select_device(config.device)
        with tempfile.TemporaryDirectory() as place:
            began, started = time.process_time(), time.perf_counter()
            train(config, RunFolder(Path(place)), started, Terminal(), device=device)
            spent = epochs * (time.process_time() - began)
        content["pools"][recipe.name]["cpu_seconds"] = round(spent, 2)
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
        print(recipe.name, content["pools"][recipe.name]["cpu_seconds"], file=sys.stderr)


def main(words: Sequence[str]) -> None:
    """Train what the results lack."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decide.pool")
    parser.add_argument("--prior", action="store_true", help="the recipes of --plan")
    parser.add_argument("--cpu", action="store_true", help="CPU seconds of these recipes")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args(words)
    if options.cpu:
        add_cpu_seconds(options.output / "spread.json")
        return
    path = options.output / ("spread.json" if options.prior else "decide_pool.json")
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content = {
        "name": path.stem,
        "method": "Whole runs in one process, one after the other, on cores that others used at"
        " the same time. correct: validation images classified correctly, of `images`, with the"
        " seeds 0, 1, 2, ...; seconds: of each run, its folder included.",
        "date": f"{time.strftime('%Y-%m-%d')}",
        "environment": describe_machine("cpu"),
        "pools": found.get("pools", {}),
    }
    for recipe in PRIORS if options.prior else POOLS:
        for pool in train_pool(recipe, content["pools"].get(recipe.name, {})):
            content["pools"][recipe.name] = pool
            path.write_text(json.dumps(content) + "\n", encoding="utf-8")
            print(f"{recipe.name}: {len(pool['correct'])} of {recipe.seeds}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
