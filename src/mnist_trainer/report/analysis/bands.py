"""Curves of groups of runs: mean over the seeds at each step, with its 95 % interval."""

from collections import defaultdict
from dataclasses import dataclass

from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.report.analysis.statistics import mean_interval

NAMES = ("loss", "accuracy")


@dataclass(frozen=True)
class BandPoint:
    """A step of a band."""

    step: int
    epoch: float
    """Passes over the training images made so far."""
    mean: float
    low: float
    high: float
    """The 95 % interval of the mean over the seeds (Student's t), at this step alone."""
    seeds: int


@dataclass(frozen=True)
class Band:
    """One value of a group by step; at steps that fewer than two runs have there is no point."""

    kind: str
    """interval or epoch, as of the records of metrics.jsonl."""
    split: str
    name: str
    points: tuple[BandPoint, ...]

    @property
    def tag(self) -> str:
        """The name of the curve, as trackers name those of single runs."""
        return f"{self.name}/{self.split}{'_steps' if self.kind == 'interval' else ''}"


def bands_of(group: Group) -> list[Band]:
    """The bands of loss and accuracy of a group's completed runs, on each split."""
    found: dict[tuple[str, str, str], dict[int, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    per_epoch = 1.0
    for run in group.completed:
        for record in run.metrics:
            if record.kind == "epoch" and record.epoch:
                per_epoch = record.step / record.epoch or 1.0
            for name in NAMES if record.kind in ("interval", "epoch") else ():
                value = record.values.get(name)
                if value is not None:
                    found[record.kind, record.split, name][record.step].append(value)
    bands = [Band(*key, _points(by_step, per_epoch)) for key, by_step in found.items()]
    return [band for band in bands if band.points]


def _points(by_step: dict[int, list[float]], per_epoch: float) -> tuple[BandPoint, ...]:
    points = []
    for step, values in sorted(by_step.items()):
        if len(values) >= 2:
            low, high = mean_interval(values, 0.0)
            mean = sum(values) / len(values)
            points.append(BandPoint(step, step / per_epoch, mean, low, high, len(values)))
    return tuple(points)
