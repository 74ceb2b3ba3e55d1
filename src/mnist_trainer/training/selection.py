"""Selection of the best epoch, and early stopping: by validation images only."""

from dataclasses import dataclass
from typing import Any

from mnist_trainer.runs.metrics import Metrics


@dataclass(frozen=True)
class Best:
    """The best epoch so far."""

    epoch: int
    metrics: Metrics


class Selection:
    """The best epoch so far, and the number of epochs since."""

    def __init__(self, monitor: str = "accuracy", patience: int | None = None) -> None:
        """Args:
        monitor: what makes an epoch the best, ``accuracy`` or ``loss``.
        patience: epochs without improvement after which training stops; None: never.
        """
        self.monitor = monitor
        self.patience = patience
        self.best: Best | None = None
        self.last_epoch = 0

    def update(self, epoch: int, metrics: Metrics) -> bool:
        """Record an epoch's validation metrics; True where it is the best so far.

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
    def should_stop(self) -> bool:
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
