"""What a run came to, exactly, and how two runs compare bit for bit. From their files alone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.report.read.records import read_run
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.read import number
from mnist_trainer.runs.trail import Parting, Trail, first_parting, read_trail

LOGGED = ("loss", "accuracy")
HASHES = ("weights_sha256", "last_weights_sha256")


@dataclass(frozen=True, order=True)
class LoggedKey:
    """What a logged number is of."""

    step: int
    kind: str
    """interval, epoch or final."""
    split: str
    epoch: int
    name: str
    since: int = 0
    """The step after which an interval began: intervals of another length hold other means."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name} ({self.split}, epoch {self.epoch}, step {self.step})"


@dataclass(frozen=True)
class Outcome:
    """What a run folder holds of the course and the end of a run."""

    folder: RunFolder
    config: Mapping[str, Any]
    """Flat keys to values; empty where config.yaml is missing."""
    environment: Mapping[str, Any]
    trail: Trail | None
    """None in folders of older versions."""
    logged: Mapping[LoggedKey, float]
    """Losses and accuracies of metrics.jsonl, which holds them exactly."""
    result: Mapping[str, Any]
    """Of a completed run; else empty."""

    @property
    def has_losses(self) -> bool:
        """Whether there is a loss of any step to compare with."""
        return bool(self.trail and self.trail.losses) or any(map(is_interval_loss, self.logged))

    def final(self) -> dict[str, float]:
        """The numbers that runs of different seeds are compared by; without those that are not
        known."""
        test = self.result.get("test")
        test = test if isinstance(test, dict) else {}
        epochs = {
            key.step: value
            for key, value in self.logged.items()
            if (key.kind, key.split, key.name) == ("epoch", "train", "loss")
        }
        found = {
            "test accuracy": number(test.get("accuracy")),
            "test loss": number(test.get("loss")),
            "training loss of the last epoch": epochs[max(epochs)] if epochs else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def read_outcome(folder: RunFolder) -> Outcome:
    """Read what a run folder holds; what is missing or cannot be read is empty."""
    run = read_run(folder.path)
    return Outcome(
        folder=folder,
        config=run.config,
        environment=run.environment,
        trail=read_trail(folder.trail),
        logged=dict(_logged(run.metrics)),
        result=run.result if run.completed else {},
    )


def is_interval_loss(key: LoggedKey) -> bool:
    return (key.kind, key.split, key.name) == ("interval", "train", "loss")


def _logged(records: Iterable[MetricRecord]) -> Iterator[tuple[LoggedKey, float]]:
    before: dict[str, int] = {}
    for each in records:
        since = before.get(each.split, 0) if each.kind == "interval" else 0
        for name in LOGGED:
            if (value := each.values.get(name)) is not None:
                key = LoggedKey(each.step, each.kind, each.split, each.epoch, name, since)
                yield key, value
        if each.kind == "interval":
            before[each.split] = each.step


@dataclass(frozen=True)
class Comparison:
    """How two runs compare bit for bit, in all that both have."""

    parting: Parting | None
    num_losses: int
    num_digests: int
    num_logged: int
    first_logged: tuple[LoggedKey, float, float] | None
    """The first logged number that differs, with both values."""
    weights_equal: bool | None
    """By their SHA-256; None where the runs are not of equal length, or not at their end."""

    @property
    def same_bits(self) -> bool:
        differs = self.parting or self.first_logged or self.weights_equal is False
        return not differs and self.num_losses > 0

    @property
    def compared(self) -> str:
        """What was compared, for the message."""
        hashed = "" if self.weights_equal is None else ", SHA-256 of the weights"
        return (
            f"{self.num_losses:,} losses, {self.num_digests:,} digests of the weights,"
            f" {self.num_logged:,} logged numbers{hashed}"
        )


def compare(original: Outcome, again: Outcome) -> Comparison:
    """Compare two runs bit for bit."""
    both = sorted(original.logged.keys() & again.logged.keys())
    pairs = ((key, original.logged[key], again.logged[key]) for key in both)
    there, here = original.trail, again.trail
    if there is None or here is None:
        steps = [key for key in both if is_interval_loss(key)]
        there, here = (
            Trail({key.step: run.logged[key] for key in steps}, {}) for run in (original, again)
        )
    hashes = [(original.result.get(name), again.result.get(name)) for name in HASHES]
    comparable = original.result.get("steps") == again.result.get("steps") and all(hashes[0])
    return Comparison(
        parting=first_parting(there, here),
        num_losses=len(there.losses.keys() & here.losses.keys()),
        num_digests=len(there.digests.keys() & here.digests.keys()),
        num_logged=len(both),
        first_logged=next((pair for pair in pairs if pair[1] != pair[2]), None),
        weights_equal=all(a == b for a, b in hashes) if comparable else None,
    )
