"""Runs that claims are measured with: trained through the public interface, each only once."""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mnist_trainer import load_run, train
from mnist_trainer.inference.trained_run import TrainedRun
from mnist_trainer.runs.result import read_result

QUICK = ("trainer.epochs=1", "data.train_limit=2000", "data.test_limit=1000")
"""Enough to show that everything runs; the numbers mean nothing."""
QUICK_SEEDS = 3


@dataclass(frozen=True)
class Runs:
    """Trains runs, or loads those that were trained before."""

    folder: Path
    quick: bool = False
    most_seeds: int | None = None
    """Fewer than planned where time is short, and then no verdict; the next time goes on."""
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Folders of finished runs by the name of an experiment that takes too long to train here."""

    def train(self, words: Sequence[str], seeds: int) -> list[TrainedRun]:
        """Runs of a recipe, with the seeds 0, 1 and so on.

        Args:
            words: of ``mnist-train``; ``{seed}`` in them stands for the seed.
        """
        return [self._one(words, seed) for seed in range(self.num_seeds(seeds))]

    def num_seeds(self, planned: int) -> int:
        """How many are trained of those that were planned."""
        return min(planned, QUICK_SEEDS if self.quick else planned, self.most_seeds or planned)

    def test_result(self, run: TrainedRun) -> Mapping[str, Any]:
        """The scores of a run on the test images, as it has recorded them itself."""
        test: Mapping[str, Any] = run.result["test"]
        return test

    def _one(self, words: Sequence[str], seed: int) -> TrainedRun:
        filled = [word.replace("{seed}", str(seed)) for word in words]
        recipe = one_of_each_key([*filled, *(QUICK if self.quick else ())])
        typed = [*recipe, f"seed={seed}", "device=cpu", "tracker=none"]
        digest = hashlib.sha256("\n".join(typed).encode()).hexdigest()[:16]
        path = (self.folder / digest).resolve()
        result = read_result(path / "result.json")
        if result and result.get("status") == "completed":
            return load_run(path, device="cpu")
        goes_on = ["resume=auto"] if path.exists() else []
        run = train([*typed, *goes_on, f"hydra.run.dir={path}"], verbose=False)
        accuracy = 100 * run.result["test"]["accuracy"]
        told = f"  {' '.join(recipe)} seed={seed}: {accuracy:.2f} %"
        print(told, file=sys.stderr, flush=True)
        return run


def one_of_each_key(words: Sequence[str]) -> list[str]:
    """The words without those whose key comes again later."""
    last = {word.partition("=")[0]: word for word in words}
    return list(last.values())
