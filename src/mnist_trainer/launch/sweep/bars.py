"""Progress bars of a single job of a sweep, which vanish when it ends."""

from collections.abc import Sequence

from mnist_trainer.runs.result import Result
from mnist_trainer.training.tracking.terminal import EpochReport, RichTerminal


class JobBars(RichTerminal):
    """Three bars: jobs of the sweep, epochs of the job, steps of the epoch."""

    def __init__(self, ended: int, total: int) -> None:
        """Add the bar of the sweep.

        Args:
            ended: jobs of the sweep that have ended.
            total: jobs of the sweep.
        """
        super().__init__()
        self.progress.add_task("jobs", total=total, completed=ended, note="")

    def started(self, lines: Sequence[str], layers: Sequence[object]) -> None:
        """Print nothing: the sweep announces its jobs."""

    def epoch_ended(self, _: EpochReport) -> None:
        self.pending_steps, self.pending_images = 0, 0

    def finished(self, _: Result, __: str) -> None:
        self.close()
