"""The outputs of a run: its folder, checkpoints, metrics, profile and terminal."""

from collections.abc import Mapping
from dataclasses import dataclass

from mnist_trainer.runs.checkpoint import Checkpoints
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.result import Result
from mnist_trainer.training.film import NoFilm
from mnist_trainer.training.state import Progress
from mnist_trainer.training.tracking.composite import CompositeTracker
from mnist_trainer.training.tracking.profiling import Profile
from mnist_trainer.training.tracking.terminal import EpochReport, Terminal
from mnist_trainer.training.trail import TrailRecorder


@dataclass(frozen=True)
class EpochTraining:
    """Results of training for an epoch."""

    metrics: Metrics
    gradient_norm: float
    """Mean over the log points of the epoch."""
    seconds: float
    images_per_second: float


@dataclass(frozen=True)
class RunOutputs:
    """Where the results of a run go."""

    folder: RunFolder
    checkpoints: Checkpoints
    tracker: CompositeTracker
    profile: Profile
    terminal: Terminal
    trail: TrailRecorder
    film: NoFilm

    def on_step(self, num_images: int) -> None:
        self.terminal.on_step(num_images)
        self.profile.on_step()

    def write_interval(
        self, progress: Progress, metrics: Metrics, values: Mapping[str, float | None]
    ) -> None:
        """Record the training metrics since the last log point."""
        self.tracker.write(
            MetricRecord(
                "interval",
                "train",
                progress.epoch + 1,
                progress.step,
                {**metrics.as_dict(), **values},
            )
        )
        self.terminal.on_metrics(metrics)

    def write_epoch(self, report: EpochReport, gradient_norm: float, step: int) -> None:
        """Record the metrics of an epoch.

        Args:
            gradient_norm: mean over the log points of the epoch.
            step: updates made so far.
        """
        values = {
            "learning_rate": report.learning_rate,
            "gradient_norm": gradient_norm,
            "images_per_second": report.images_per_second,
        }
        train = {**report.train.as_dict(), **values}
        self.tracker.write(MetricRecord("epoch", "train", report.epoch, step, train))
        self._write_splits("epoch", report.validation, report.test, report.epoch, step)

    def write_result(self, result: Result) -> None:
        """Record the final metrics, as TensorBoard's table of hyper-parameters reads them."""
        self._write_splits("final", result.validation, result.test, result.epochs, result.steps)

    def _write_splits(
        self, kind: str, validation: Metrics | None, test: Metrics | None, epoch: int, step: int
    ) -> None:
        for split, metrics in (("validation", validation), ("test", test)):
            if metrics:
                self.tracker.write(MetricRecord(kind, split, epoch, step, metrics.as_dict()))
