"""Which epoch was the best, and when to stop waiting for a better one: by validation images only."""

from dataclasses import dataclass
from typing import Any

from mnist_trainer.config.settings import TrainerSettings
from mnist_trainer.runs.metrics import Metrics


@dataclass(frozen=True)
class Best:
    """The best epoch so far."""

    epoch: int
    metrics: Metrics


class Selection:
    """Keeps the best epoch in mind, and counts the epochs since."""

    def __init__(self, settings: TrainerSettings) -> None:
        self.monitor = settings.monitor
        self.patience = settings.patience
        self.best: Best | None = None
        self.last_epoch = 0

    def update(self, epoch: int, metrics: Metrics) -> bool:
        """Take note of an epoch's validation metrics; True where it is the best so far.

        Of equal accuracies the one with the lower loss is better; of equals in both the earlier.
        """
        self.last_epoch = epoch
        if self.best is not None and self._rank(metrics) <= self._rank(self.best.metrics):
            return False
        self.best = Best(epoch, metrics)
        return True

    def _rank(self, metrics: Metrics) -> tuple[float, ...]:
        return (-metrics.loss,) if self.monitor == "loss" else (metrics.accuracy, -metrics.loss)

    @property
    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return (
            self.patience is not None
            and self.best is not None
            and self.last_epoch - self.best.epoch >= self.patience
        )

    def state_dict(self) -> dict[str, Any]:
        best = self.best and {
            "epoch": self.best.epoch,
            "loss": self.best.metrics.loss,
            "correct": self.best.metrics.correct,
            "count": self.best.metrics.count,
        }
        return {"last_epoch": self.last_epoch, "best": best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch = state["last_epoch"]
        best = state["best"]
        self.best = best and Best(
            best["epoch"], Metrics(best["loss"], best["correct"], best["count"])
        )
