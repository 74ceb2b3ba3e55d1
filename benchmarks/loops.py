"""Training epochs and test passes: the tutorial loop, the product and the bare loop in turns."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.baselines import BARE_TEST_BATCH_SIZE, BATCH_SIZE, BareLoop, TutorialLoop
from benchmarks.product import ProductLoop, compose_config
from benchmarks.results import Case, Report
from benchmarks.timing import interleave, timed
from mnist_trainer.data.cache import cache_root
from mnist_trainer.data.loading import load_dataset

TUTORIAL, PRODUCT, BARE = "tutorial loop", "mnist-trainer", "bare loop"
COMPARED = ((TUTORIAL, PRODUCT), (TUTORIAL, BARE), (PRODUCT, BARE))
EXPERIMENTS = {"FCN": "docs_fcn", "CNN": "docs_cnn"}
NUM_TRAIN = 60_000


@dataclass(frozen=True)
class Ways:
    """The three ways for one network."""

    tutorial: TutorialLoop
    product: ProductLoop
    bare: BareLoop

    def wait(self) -> None:
        self.product.trainer.evaluator.device.synchronize()


@contextlib.contextmanager
def open_ways(experiment: str, device_type: str, steps: int) -> Iterator[Ways]:
    """Everything loaded and built, nothing trained yet."""
    # One precision for all: the question here is the loop.
    config = compose_config(
        f"experiment={experiment}", f"device={device_type}", "device.precision=fp32"
    )
    dataset = load_dataset(config.data)
    with tempfile.TemporaryDirectory() as folder:
        product = ProductLoop(config, Path(folder), steps)
        device = product.trainer.evaluator.device
        tutorial = TutorialLoop(config, cache_root(config.data), device.torch_device, steps)
        bare = BareLoop(
            config, dataset.train, dataset.test, device.torch_device, device.memory_format, steps
        )
        try:
            yield Ways(tutorial, product, bare)
        finally:
            product.close()


def measure_training(rounds: int, steps: int, device_type: str) -> Report:
    """Seconds for an epoch of 60,000 images."""
    scale = NUM_TRAIN / (steps * BATCH_SIZE)
    cases = []
    for name, experiment in EXPERIMENTS.items():
        with open_ways(experiment, device_type, steps) as ways:
            turns = {
                TUTORIAL: timed(ways.tutorial.train, ways.wait, scale),
                PRODUCT: timed(ways.product.train, ways.wait, scale),
                BARE: timed(ways.bare.train, ways.wait, scale),
            }
            cases.append(Case(name, "seconds", interleave(turns, rounds), COMPARED))
    method = (
        f"Seconds for a training epoch of {NUM_TRAIN:,} images in batches of {BATCH_SIZE}, fp32:"
        f" {rounds} rounds in one process, in which each way trains for {steps} steps, scaled to"
        " the epoch. mnist-trainer is the real Trainer.train_epoch with metrics and TensorBoard"
        " files, interrupted between steps."
    )
    return Report(
        _name("training", device_type),
        method,
        cases,
        {"rounds": rounds, "steps_per_turn": steps, "scale": scale},
    )


def measure_test(rounds: int, steps: int, device_type: str) -> Report:
    """Seconds for a pass over the 10,000 test images, with the same weights for all."""
    cases, right = [], {}
    for name, experiment in EXPERIMENTS.items():
        with open_ways(experiment, device_type, steps) as ways:
            ways.tutorial.model.load_state_dict(ways.product.trainer.state.model.state_dict())
            ways.bare.model.load_state_dict(ways.product.trainer.state.model.state_dict())
            right[name] = {
                TUTORIAL: ways.tutorial.test(),
                PRODUCT: ways.product.test(),
                BARE: ways.bare.test(),
            }
            turns = {
                TUTORIAL: timed(ways.tutorial.test, ways.wait),
                PRODUCT: timed(ways.product.test, ways.wait),
                BARE: timed(ways.bare.test, ways.wait),
            }
            cases.append(Case(name, "seconds", interleave(turns, rounds), COMPARED))
    method = (
        f"Seconds for a pass over the 10,000 test images, fp32: {rounds} rounds in one process, one"
        " pass of each way in every round. The tutorial loop counts right answers in batches of"
        f" 64, the bare loop in batches of {BARE_TEST_BATCH_SIZE}; mnist-trainer measures the loss,"
        " too, and notes the answer to each image."
    )
    return Report(
        _name("test_pass", device_type), method, cases, {"rounds": rounds, "right_answers": right}
    )


def _name(measurement: str, device_type: str) -> str:
    return measurement if device_type == "cpu" else f"{measurement}_{device_type}"
