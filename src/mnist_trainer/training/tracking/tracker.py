"""The interface of trackers, which record the metrics of a run."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.runs.read import read_file
from mnist_trainer.system.files import atomic_write, write_failure

FINAL = "result"
"""Tags of the final metrics begin with it: in TensorBoard their dots come after all curves."""


def final_step(step: int) -> int:
    """The step of what is written at the end of a run, after ``step`` updates.

    A session that resumes after the last step drops what lies beyond it, and writes it anew.
    """
    return step + 1


def shown_step(record: MetricRecord) -> int:
    """The step under which a tracker shows a record."""
    return final_step(record.step) if record.kind == "final" else record.step


class Tracker:
    """Records the metrics of a run; a subclass overrides what it needs.

    One that ``tracker.extra`` names is given those of ``folder`` (``RunFolder``) and ``resumed``
    (whether an earlier session has begun the run) that its constructor has parameters for. Whatever
    it raises is a warning, and it is called no more.
    """

    path: Path
    """Named where the disk fails; of no use to a tracker that ``tracker.extra`` names."""

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


def tags_of(record: MetricRecord) -> dict[str, float]:
    """Values of a record under the names of their curves, such as ``loss/train_steps``."""
    curve = f"{record.split}_steps" if record.kind == "interval" else record.split
    form = f"{FINAL}/{curve}_{{}}" if record.kind == "final" else f"{{}}/{curve}"
    return {form.format(name): value for name, value in record.values.items() if value is not None}


@dataclass(frozen=True)
class SavedId:
    """The id of a run in another program, in a file of the run folder, for sessions that resume."""

    path: Path
    resumed: bool

    def read(self) -> str | None:
        """The id; None at the start of a run, or where the file holds no id."""
        if not self.resumed or not self.path.is_file():
            return None
        text = read_file(self.path, 100).decode(errors="replace").strip()
        return text if re.fullmatch(r"[0-9a-f]{8,64}", text) else None

    def write(self, text: str) -> None:
        with atomic_write(self.path) as file:
            file.write(text.encode() + b"\n")


@contextlib.contextmanager
def disk_failures(path: Path, needed: int | None = None) -> Iterator[None]:
    """Raise a MachineError in place of an OSError of a file that cannot be written."""
    try:
        yield
    except OSError as error:
        raise write_failure(path, error, needed) from error
