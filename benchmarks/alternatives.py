"""``python -m benchmarks.alternatives``: ways to train in less time than eager PyTorch on the CPU,
each beside the bare loop, with the time of its first step."""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.baselines import BATCH_SIZE, BareLoop
from benchmarks.loops import EXPERIMENTS, NUM_TRAIN
from benchmarks.machine import describe_machine
from benchmarks.product import compose_config
from benchmarks.results import RESULTS, Case, Report, write_report
from benchmarks.tables import render
from benchmarks.timing import interleave, timed
from mnist_trainer.compute.device import select_device
from mnist_trainer.data.loading import load_dataset

EAGER = "eager"
GATHERED = 64
"""Updates whose images are gathered at once; the product gathers 2,048 images."""


class LargeGathers(BareLoop):
    """Images of many updates gathered by one operation."""

    def train(self) -> None:
        self.model.train()
        for start in range(0, self.steps, GATHERED):
            indexes = torch.cat(
                [next(self.indexes) for _ in range(min(GATHERED, self.steps - start))]
            )
            images, labels = self.images[indexes], self.labels[indexes]
            for batch in zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True):
                self.step(*batch)

    def step(self, images: Tensor, labels: Tensor) -> None:
        loss = self.loss(images, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.criterion(self.model(images), labels)  # type: ignore[no-any-return]


class Compiled(LargeGathers):
    """Forward and backward pass compiled by TorchInductor."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.compiled = torch.compile(super().loss)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return self.compiled(images, labels)


class Autocast(LargeGathers):
    """bf16 operations on fp32 weights, as ``device.precision=bf16`` computes."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(images)
        return self.criterion(logits.float(), labels)  # type: ignore[no-any-return]


class Bf16Weights(LargeGathers):
    """Weights, momentum and images in bf16."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.model.to(torch.bfloat16)
        self.images = self.images.to(torch.bfloat16)


class TwoThreads(LargeGathers):
    """Two half-batches, each computed by a thread with half of the cores."""

    def step(self, images: Tensor, labels: Tensor) -> None:
        self.optimizer.zero_grad()
        parameters = list(self.model.parameters())
        found: list[tuple[Tensor, ...]] = []
        share = max(1, torch.get_num_threads() // 2)

        def half(part: Tensor, answers: Tensor) -> None:
            torch.set_num_threads(share)  # Of this thread alone.
            loss = self.criterion(self.model(part), answers) / 2
            found.append(torch.autograd.grad(loss, parameters))

        halves = zip(images.chunk(2), labels.chunk(2), strict=True)
        threads = [threading.Thread(target=half, args=each) for each in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for parameter, gradients in zip(parameters, zip(*found, strict=True), strict=True):
            parameter.grad = gradients[0].add_(gradients[1])
        self.optimizer.step()


WAYS: dict[str, type[BareLoop]] = {
    EAGER: BareLoop,
    "gathers of 4,096": LargeGathers,
    "torch.compile": Compiled,
    "bf16 autocast": Autocast,
    "bf16 weights": Bf16Weights,
    "two half-batches": TwoThreads,
}


def open_way(way: str, experiment: str, steps: int) -> BareLoop:
    """A way to train the network of an experiment; nothing is trained yet."""
    config = compose_config(f"experiment={experiment}", "device=cpu", "device.precision=fp32")
    data, device = load_dataset(config.data), select_device(config.device)
    place = (device.torch_device, device.memory_format)
    return WAYS[way](config, data.train, data.test, *place, steps)


def measure(rounds: int, steps: int) -> Report:
    """Seconds for an epoch, and those before the second step of a new process."""
    scale = NUM_TRAIN / (steps * BATCH_SIZE)
    cases, compared = [], [(EAGER, way) for way in WAYS if way != EAGER]
    for name, experiment in EXPERIMENTS.items():
        loops = {way: open_way(way, experiment, steps) for way in WAYS}
        turns = {way: timed(loop.train, lambda: None, scale) for way, loop in loops.items()}
        cases.append(Case(name, "seconds", interleave(turns, rounds), compared))
    for name, experiment in EXPERIMENTS.items():
        with tempfile.TemporaryDirectory() as folder:
            for state in ("nothing compiled yet", "compiled by an earlier process"):
                ways = {way: [first_step(way, experiment, Path(folder))] for way in WAYS}
                cases.append(Case(f"{name}, first step, {state}", "seconds", ways))
    method = (
        f"Seconds for a training epoch of {NUM_TRAIN:,} images in batches of {BATCH_SIZE}: {rounds}"
        f" rounds of {steps} steps, scaled; eager is the bare loop, in fp32 unless it says bf16."
        " First step: once, in a new process, with what the compiler does before it."
    )
    return Report("alternatives", method, cases, {"rounds": rounds, "steps_per_turn": steps})


def first_step(way: str, experiment: str, cache: Path) -> float:
    """Seconds of the first step in a new process.

    Args:
        cache: where the compiler finds what it compiled before.
    """
    code = (
        "import time; from benchmarks.alternatives import open_way;"
        f" loop = open_way({way!r}, {experiment!r}, 1); started = time.perf_counter();"
        " loop.train(); print(time.perf_counter() - started)"
    )
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(cache)}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(ended.stdout)


def main(words: Sequence[str]) -> None:
    """Measure all ways, and keep what they came to."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternatives", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="turns of each way (default: 9)")
    parser.add_argument("--steps", type=int, default=100, help="updates in a turn (default: 100)")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args(words)
    content = measure(options.rounds, options.steps).as_json(describe_machine("cpu"))
    write_report(content, options.output)
    print(render(content))


if __name__ == "__main__":
    main(sys.argv[1:])
