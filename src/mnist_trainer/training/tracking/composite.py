"""All trackers of a run: metrics.jsonl always, others where the configuration asks for them."""

import contextlib
import logging
from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from mnist_trainer.compute.rng import restore_rng_state, rng_state
from mnist_trainer.config.instantiate import build
from mnist_trainer.config.settings import Component, RunConfig
from mnist_trainer.errors import MachineError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.training.tracking.metrics_file import MetricsFile
from mnist_trainer.training.tracking.tracker import Tracker, disk_failures

log = logging.getLogger(__name__)


class CompositeTracker:
    """Several trackers as one; a context that closes them."""

    def __init__(self, trackers: list[Tracker], extra: Tracker | None = None) -> None:
        """Args:
        extra: a tracker that may fail: the first failure is a warning, and ends it.
        """
        self.trackers = trackers
        self.extra = extra

    def start(self, config: RunConfig, model: nn.Module, images: Tensor) -> None:
        self._each(lambda tracker: tracker.start(config, model, images))

    def write(self, record: MetricRecord) -> None:
        self._each(lambda tracker: tracker.write(record))

    def epoch_ended(self, model: nn.Module, step: int) -> None:
        self._each(lambda tracker: tracker.epoch_ended(model, step))

    def write_gradients(self, model: nn.Module, step: int) -> None:
        self._each(lambda tracker: tracker.write_gradients(model, step))

    def write_predictions(
        self, split: str, images: Tensor, predictions: Predictions, step: int
    ) -> None:
        self._each(lambda tracker: tracker.write_predictions(split, images, predictions, step))

    def flush(self) -> int:
        """Write everything to disk; return the bytes of metrics.jsonl."""
        kept = [0]
        self._each(lambda tracker: kept.append(tracker.flush()))
        return max(kept)

    def finish(self, config: RunConfig) -> None:
        self._each(lambda tracker: tracker.finish(config))

    def close(self) -> None:
        self._each(lambda tracker: tracker.close())

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for tracker in self.trackers:
            with disk_failures(tracker.path):
                act(tracker)
        if self.extra is not None:
            self._try(self.extra, act)

    def _try(self, extra: Tracker, act: Callable[[Tracker], None]) -> None:
        """Call what must not change the run, its random numbers included."""
        state = rng_state()
        try:
            act(extra)
        except (Exception, SystemExit) as error:
            self.extra = None
            reason = str(error).strip().splitlines() or [type(error).__name__]
            log.warning(
                "tracker.extra: %s has failed, and the run goes on without it: %s",
                type(extra).__name__,
                reason[0][:200],
            )
            log.info("What it raised:", exc_info=error)
        finally:
            restore_rng_state(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After a fault a failure to close says nothing new.
        with contextlib.suppress(*(() if kind is None else (MachineError,))):
            self.close()


def open_trackers(
    config: RunConfig,
    folder: RunFolder,
    *,
    kept_bytes: int = 0,
    last_step: int | None = None,
    is_main_process: bool = True,
) -> CompositeTracker:
    """Open the trackers that the configuration asks for; none in other than the main process.

    Args:
        kept_bytes: of metrics.jsonl, where a run is resumed.
        last_step: the step that it is resumed from; None for a fresh start.
    """
    if not is_main_process:
        return CompositeTracker([])
    extra = open_extra(config, folder, resumed=last_step is not None)
    trackers: list[Tracker] = [MetricsFile(folder.metrics, kept_bytes)]
    if config.tracker.enabled:
        from mnist_trainer.training.tracking.tensorboard import TensorBoard

        if last_step is None:
            for path in folder.path.glob("events.out.tfevents.*"):
                path.unlink()
        purge_step = None if last_step is None else last_step + 1
        trackers.append(TensorBoard(folder, config, purge_step))
    return CompositeTracker(trackers, extra)


def open_extra(config: RunConfig, folder: RunFolder, *, resumed: bool) -> Tracker | None:
    """Build the tracker that ``tracker.extra`` names; None where it names none.

    Raises:
        ConfigError: its class is not admitted, or refuses its options.
        MachineError: it needs a package that is not installed.
    """
    if (node := config.tracker.extra) is None:
        return None
    component = Component("tracker.extra", config.choices.get("tracker", ""), node)
    state = rng_state()
    tracker: Tracker = build(component, Tracker, folder=folder, resumed=resumed)
    restore_rng_state(state)
    return tracker
