"""The interface of trackers, which record the metrics of a run."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.files import write_failure


@dataclass(frozen=True)
class MetricRecord:
    """One line of metrics.jsonl."""

    kind: str
    """interval (since the last log point), epoch, or final."""
    split: str
    epoch: int
    step: int
    """Updates made so far."""
    values: Mapping[str, float | None]

    def as_json(self) -> str:
        head = {"kind": self.kind, "split": self.split, "epoch": self.epoch, "step": self.step}
        return json.dumps({**head, **self.values}, allow_nan=False)


def final_step(step: int) -> int:
    """The step of what is written at the end of a run, after ``step`` updates.

    A session that resumes after the last step drops what lies beyond it, and writes it anew.
    """
    return step + 1


class Tracker:
    """Records the metrics of a run; a subclass overrides what it needs."""

    path: Path

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        """Describe the run; ``images`` (N, 1, H, W) are its first, as the model sees them."""

    def write(self, record: MetricRecord) -> None: ...

    def epoch_ended(self, model: nn.Module, step: int) -> None: ...

    def write_gradients(self, model: nn.Module, step: int) -> None:
        """Record the gradients that the last step has left in the parameters."""

    def write_predictions(
        self, split: str, images: Tensor, predictions: Predictions, step: int
    ) -> None:
        """Record predictions for the images (N, 1, H, W) of a split, as the model saw them."""

    def flush(self) -> int:
        """Write everything to disk; return the bytes that a run resumed from here keeps."""
        return 0

    def finish(self, config: RunConfig) -> None:
        """Record the hyper-parameters, once the final metrics are written."""

    def close(self) -> None: ...


@contextlib.contextmanager
def disk_failures(path: Path, needed: int | None = None) -> Iterator[None]:
    """Raise a MachineError in place of an OSError of a file that cannot be written."""
    try:
        yield
    except OSError as error:
        raise write_failure(path, error, needed) from error
