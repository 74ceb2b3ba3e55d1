"""The step at which the curves of two runs part."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from mnist_trainer.report.analysis.differences import is_same
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.trail import Trail, first_parting

# The other values of a record are of the clock, or are settings.
COMPARED = ("loss", "accuracy", "gradient_norm")
MAX_POINTS = 300
SMALLEST, LARGEST = 1e-30, 1e30
"""Distances that are drawn: of float32 losses none is smaller; a diverged run's can be larger."""


@dataclass(frozen=True)
class Curves:
    """How far the curves of two runs are the same."""

    source: str
    """trail.bin (each step that was kept, bit for bit) or metrics.jsonl (its records)."""
    last_steps: tuple[int, int]
    """Of the two runs."""
    same_until: int
    """The last step at which all that both have is equal; 0 where there is none."""
    step: int | None = None
    """The first step that is known to differ; None where none is."""
    what: str = ""
    """What differs there: weights (their digests), training loss, or a value of a record."""
    value_step: int | None = None
    """The first step whose value differs: the weights differ before a loss does."""
    values: tuple[float | None, float | None] | None = None
    """Of the two runs, at ``value_step``; a None among them is not finite."""
    digests: tuple[int, int] | None = None
    """Of the weights after ``step``, where they are what differs."""
    distances: tuple[tuple[int, float], ...] = field(default=(), compare=False)
    """Step and |loss of A - loss of B| of the trails, at most ``MAX_POINTS``, without zeros."""


def compare_curves(
    a: RunRecord, b: RunRecord, trails: tuple[Trail | None, Trail | None]
) -> Curves | None:
    """Compare the trails where both runs have one, else the records of the training images.

    Returns:
        None where a run has neither.
    """
    trail_a, trail_b = trails
    if trail_a and trail_b and trail_a.losses and trail_b.losses:
        return _of_trails(trail_a, trail_b)
    same_intervals = is_same(a.config.get("trainer.log_every"), b.config.get("trainer.log_every"))
    records_a, records_b = (_records(run, same_intervals) for run in (a, b))
    return _of_records(records_a, records_b) if records_a and records_b else None


def _of_trails(a: Trail, b: Trail) -> Curves:
    last_steps, parting = (a.last_step, b.last_step), first_parting(a, b)
    if parting is None:
        return Curves("trail.bin", last_steps, min(last_steps))
    loss_step = parting.step if parting.losses else None
    step, digests = parting.step, None
    # The digest of a step is of the weights after its loss was computed.
    if (changed := parting.weights_step) is not None and (not loss_step or changed < loss_step):
        step, digests = changed, (a.digests[changed], b.digests[changed])
    common = (each for each in a.losses.keys() & b.losses.keys() if each < step)
    return Curves(
        "trail.bin",
        last_steps,
        max(common, default=0),
        step,
        "weights" if digests else "training loss",
        loss_step,
        parting.losses,
        digests,
        tuple(_distances(a, b)),
    )


def _distances(a: Trail, b: Trail) -> Iterator[tuple[int, float]]:
    """Of neighbouring steps the largest, so that a curve of any length is drawn in as many."""
    steps = sorted(a.losses.keys() & b.losses.keys())
    size = math.ceil(len(steps) / MAX_POINTS)
    for start in range(0, len(steps), size):
        there = steps[start : start + size]
        found = ((abs(a.losses[step] - b.losses[step]), step) for step in there)
        # NaN is in no range.
        drawn = [each for each in found if SMALLEST < each[0] < LARGEST]
        if drawn:
            distance, step = max(drawn)
            yield step, distance


Records = dict[tuple[int, str], MetricRecord]


def _records(run: RunRecord, with_intervals: bool) -> Records:
    """By step and kind, in the order of the steps.

    Args:
        with_intervals: records of intervals are means since the one before, so those of intervals
            of another length differ though the curves do not.
    """
    kinds = ("interval", "epoch") if with_intervals else ("epoch",)
    found = [each for each in run.metrics if each.split == "train" and each.kind in kinds]
    found.sort(key=lambda each: (each.step, kinds.index(each.kind)))
    return {(each.step, each.kind): each for each in found}


def _of_records(a: Records, b: Records) -> Curves:
    last_steps = (max(step for step, _ in a), max(step for step, _ in b))
    before = current = 0
    for step, kind in (key for key in a if key in b):
        if step != current:
            before, current = current, step
        values_a, values_b = a[step, kind].values, b[step, kind].values
        for name in COMPARED:
            pair = (values_a.get(name), values_b.get(name))
            if name in values_a and name in values_b and not is_same(*pair):
                what = f"training {name.replace('_', ' ')}"
                return Curves("metrics.jsonl", last_steps, before, step, what, step, pair)
    return Curves("metrics.jsonl", last_steps, current)
