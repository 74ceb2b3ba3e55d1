"""This package's own trainer, built as ``run.train`` builds it, but trained in turns of a few
steps."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import open_dict
from torch import Tensor

from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.data.batches import Batches, EpochSampler
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training.run import prepare


def compose_config(*words: str) -> RunConfig:
    """The settings that the words lead to on the command line."""
    with initialize_config_dir(str(config_dir()), version_base="1.3", job_name="benchmarks"):
        composed = compose("config", list(words), return_hydra_config=True)
    choices = {
        group: choice
        for group, choice in composed.hydra.runtime.choices.items()
        if isinstance(choice, str)
    }
    with open_dict(composed):
        del composed["hydra"]
    return read_config(composed, choices)


class InTurns:
    """A trainer's own batches, a few at a time: each turn goes on in the epoch where the last one
    stopped."""

    def __init__(self, batches: Batches, steps: int) -> None:
        self.batches = batches
        self.steps = steps
        self.under_way: Iterator[tuple[Tensor, Tensor]] = iter(())

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        if start == 0:
            self.under_way = self.batches.epoch(sampler, 0)
        return islice(self.under_way, self.steps)


class ProductLoop:
    """The real ``Trainer`` with real trackers; ``train_epoch`` does one turn."""

    def __init__(self, config: RunConfig, folder: Path, steps: int) -> None:
        """Args:
        folder: where metrics.jsonl and the event files go.
        steps: updates of a turn.
        """
        self.steps = steps
        self.trainer = prepare(config, RunFolder(folder), time.perf_counter())
        self.trainer.data.batches = InTurns(self.trainer.data.batches, steps)

    def train(self) -> None:
        """One call of the trainer's ``train_epoch``; where too few steps are left for a whole turn,
        the next epoch begins."""
        self.trainer.train_epoch()
        progress = self.trainer.progress
        if progress.batch + self.steps > self.trainer.data.steps_per_epoch:
            progress.epoch, progress.batch = progress.epoch + 1, 0
            self.trainer.state.epoch_accumulator.reset()

    def test(self) -> int:
        """One evaluation of the test images: the number of correct predictions."""
        return self.trainer.evaluator.evaluate_test(self.trainer.state.eval_model).correct

    def close(self) -> None:
        self.trainer.outputs.tracker.close()
