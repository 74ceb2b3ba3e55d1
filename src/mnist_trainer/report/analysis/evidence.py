"""What finished runs, or shipped records of recipes, say about the spread over seeds and the time
of a run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mnist_trainer.report.analysis.groups import Group, score_of, split_to_judge_by
from mnist_trainer.report.analysis.power import DifferenceSd, Evidence, pooled
from mnist_trainer.report.analysis.sequential import paired
from mnist_trainer.report.read.spread import RecipeSpread
from mnist_trainer.system.messages import counted

MIN_DEGREES = 2
"""Fewer degrees of freedom say nearly nothing about a standard deviation."""


def evidence_of_runs(groups: Sequence[Group]) -> Evidence | None:
    """What the completed runs of a sweep say; None where no group has two seeds.

    Args:
        groups: of one recipe each; the first with a result is what the others are compared with.
    """
    completed = [group for group in groups if group.completed]
    split = split_to_judge_by([run for group in completed for run in group.runs])
    notes = [f"Spread and time are those of the {split} accuracies of this sweep."]
    sd = _spread([_by_seed(group, split) for group in completed], notes)
    if sd is None:
        return None
    resolution = 1 / max(_images(completed, split), 1)
    if sd.value < resolution:
        sd = DifferenceSd(resolution, sd.degrees)
        notes.append("A standard deviation below one image counts as one image.")
    seconds = [group.seconds.mean for group in completed if group.seconds]
    a_seed = sum(seconds) if len(seconds) == len(completed) else None
    if a_seed is not None and len(completed) == 1:
        a_seed *= 2  # As if it were compared with another recipe of the same cost.
    return Evidence(sd, max(2, len(completed)), a_seed, tuple(notes))


def _spread(scores: Sequence[Mapping[int, float]], notes: list[str]) -> DifferenceSd | None:
    """The standard deviation of a difference, from the pairs where there are enough, else from the
    groups; None where neither says anything.

    Args:
        scores: accuracies by seed, of each recipe.
        notes: takes a note on where it is from.
    """
    differences = [paired(scores[0], each) for each in scores[1:]] if scores else []
    sd = pooled(differences)
    if sd and sd.degrees >= MIN_DEGREES:
        pairs = counted(sum(map(len, differences)), "pair")
        notes.append(
            "Standard deviation of the difference of two runs with the same seed, from"
            f" {pairs}: {_points(sd)}."
        )
        return sd
    sd = pooled([list(each.values()) for each in scores], math.sqrt(2))
    if sd:
        notes.append(
            "Too few pairs with the same seed: the standard deviation within the groups, times"
            f" √2 for a difference of two independent runs: {_points(sd)}."
        )
    return sd


def _by_seed(group: Group, split: str) -> dict[int, float]:
    found = ((run.seed, score_of(run, split)) for run in group.completed)
    return {seed: score.accuracy for seed, score in found if seed is not None and score}


def _images(groups: Sequence[Group], split: str) -> int:
    """Images of the split, the fewest of any run."""
    scores = (score_of(run, split) for group in groups for run in group.completed)
    return min((score.images for score in scores if score), default=0)


def _points(sd: DifferenceSd) -> str:
    low, high = sd.interval
    return (
        f"{100 * sd.value:.3f} points (95 % interval {100 * low:.3f} to {100 * high:.3f},"
        f" {sd.degrees} degrees of freedom)"
    )


@dataclass(frozen=True)
class PlannedRecipe:
    """A recipe that is to be trained, and the shipped record that is nearest to it."""

    name: str
    work: float
    """Epochs times training images."""
    record: RecipeSpread | None


def evidence_of_records(recipes: Sequence[PlannedRecipe], provenance: str) -> Evidence | None:
    """What shipped records of the nearest recipes say; None where there is none for one of them."""
    records = [each.record for each in recipes if each.record]
    if not records or len(records) < len(recipes):
        return None
    used = {record.name: record for record in records}
    degrees = sum(record.seeds - 1 for record in used.values())
    squares = sum((record.seeds - 1) * record.sd**2 for record in used.values())
    sd = DifferenceSd(math.sqrt(2 * squares / degrees), degrees)
    seconds = sum(
        record.seconds * each.work / record.work
        for each, record in zip(recipes, records, strict=True)
    )
    names = ", ".join(
        f"{record.name} ({record.seeds} seeds, sd {100 * record.sd:.3f} points,"
        f" {record.seconds:.1f} s a run)"
        for record in used.values()
    )
    return Evidence(
        sd,
        max(2, len(recipes)),
        seconds * (2 if len(recipes) == 1 else 1),
        (
            f"No run of this sweep yet: spread and time are those of shipped records: {names}.",
            "Standard deviation of a difference, √2 times that of a run, as if the two runs of a"
            f" seed were independent: {_points(sd)}.",
            f"Time is scaled by epochs and training images. {provenance} Another machine, another"
            " recipe: train a few seeds, then mnist-report SWEEP --power tells more.",
        ),
    )
