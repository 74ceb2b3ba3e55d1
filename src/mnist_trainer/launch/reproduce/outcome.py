"""What a run came to, exactly, and how two runs compare bit for bit. From their files alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.errors import DataError
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metric_records import read_records
from mnist_trainer.runs.read import flatten, number, read_json
from mnist_trainer.runs.result import Status, read_result
from mnist_trainer.runs.resume import saved_config
from mnist_trainer.runs.trail import Parting, Trail, first_parting, read_trail

LOGGED = ("loss", "accuracy")
HASHES = ("weights_sha256", "last_weights_sha256")

RecordKey = tuple[str, str, int, int, str]
"""Kind, split, epoch, step and name of a logged number."""


@dataclass(frozen=True)
class Outcome:
    """What a run folder holds of the course and the end of a run."""

    folder: RunFolder
    config: Mapping[str, Any]
    """Flat keys to values; empty where config.yaml is missing."""
    environment: Mapping[str, Any]
    trail: Trail | None
    """None in folders of older versions."""
    logged: Mapping[RecordKey, float]
    """Losses and accuracies of metrics.jsonl, which holds them exactly."""
    result: Mapping[str, Any]
    """Of a completed run; else empty."""

    def curve(self) -> Trail:
        """The trail; without one the mean losses between log points, by their last step."""
        if self.trail is not None:
            return self.trail
        losses = {
            step: value
            for (kind, split, _, step, name), value in self.logged.items()
            if (kind, split, name) == ("interval", "train", "loss")
        }
        return Trail(losses, {})

    def final(self) -> dict[str, float]:
        """The numbers that runs of different seeds are compared by; without those that are not
        known."""
        test = self.result.get("test")
        test = test if isinstance(test, dict) else {}
        epochs = {
            step: value
            for (kind, split, _, step, name), value in self.logged.items()
            if (kind, split, name) == ("epoch", "train", "loss")
        }
        found = {
            "test accuracy": number(test.get("accuracy")),
            "test loss": number(test.get("loss")),
            "training loss of the last epoch": epochs[max(epochs)] if epochs else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def read_outcome(folder: RunFolder) -> Outcome:
    """Read what a run folder holds; what is missing is empty."""
    try:
        records, _ = read_records(folder.metrics)
    except DataError:
        records = []
    try:
        environment = read_json(folder.environment)
    except DataError:
        environment = {}
    config, result = saved_config(folder), read_result(folder.result) or {}
    return Outcome(
        folder=folder,
        config=flatten(config) if isinstance(config, dict) else {},
        environment=environment if isinstance(environment, dict) else {},
        trail=read_trail(folder.trail),
        logged={
            (each.kind, each.split, each.epoch, each.step, name): value
            for each in records
            for name in LOGGED
            if (value := each.values.get(name)) is not None
        },
        result=result if result.get("status") == Status.COMPLETED else {},
    )


@dataclass(frozen=True)
class Comparison:
    """How two runs compare bit for bit, in all that both have."""

    parting: Parting | None
    num_losses: int
    num_digests: int
    num_logged: int
    first_logged: tuple[RecordKey, float, float] | None
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
    there, here = original.curve(), again.curve()
    if original.trail is None or again.trail is None:
        # Mean losses between log points are compared with their like.
        there, here = (Outcome.curve(_without_trail(each)) for each in (original, again))
    both = sorted(original.logged.keys() & again.logged.keys(), key=lambda key: (key[3], key))
    pairs = ((key, original.logged[key], again.logged[key]) for key in both)
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


def _without_trail(outcome: Outcome) -> Outcome:
    return Outcome(**{**vars(outcome), "trail": None})
