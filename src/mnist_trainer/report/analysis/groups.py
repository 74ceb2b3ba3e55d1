"""Groups of runs that differ only in the seed: their ranking, and the effect of each setting."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean
from typing import Any

from mnist_trainer.report.analysis.folds import (
    FoldEstimate,
    are_folds,
    describe_size,
    fold_difference,
    fold_estimate,
    fold_means,
)
from mnist_trainer.report.analysis.statistics import Spread, holm, spread, welch
from mnist_trainer.report.read.records import RunRecord, SplitMetrics, shown
from mnist_trainer.runs.config_hash import HASH_EXCLUDED_KEYS
from mnist_trainer.runs.ranking import Rank, rank_key

# Settings that do not make another recipe: the seed, the fold, whatever leaves the weights
# unchanged, and the batch size of evaluation.
IGNORED = ("seed", "data.fold", *HASH_EXCLUDED_KEYS, "trainer.eval_batch_size", "hydra")
# Parts that are chosen by name; the name says more than the options that came with it.
CHOSEN = ("model", "loss", "optimizer", "scheduler", "transforms")
ABSENT = "-"
PLAIN = ("null", "true", "false")
"""Values that mean nothing without the name of their setting."""
LEVEL = 0.05


@dataclass(frozen=True)
class Group:
    """Runs of one recipe, over seeds and folds."""

    settings: dict[str, str]
    """The settings in which the groups differ, name to value."""
    runs: tuple[RunRecord, ...]

    @cached_property
    def completed(self) -> list[RunRecord]:
        """The completed runs; equal weights count once."""
        return distinct([run for run in self.runs if run.completed])

    @property
    def validation(self) -> Spread | None:
        """Validation accuracy over the seeds, or over the means of folds; None unless every
        completed run has one."""
        scored = len(accuracies(self.completed, "validation")) == len(self.completed)
        return self._spread("validation") if scored else None

    @cached_property
    def folds(self) -> FoldEstimate | None:
        """Validation accuracy with its interval over folds; None without several folds."""
        return fold_estimate(self.completed)

    @property
    def size(self) -> str:
        """What the completed runs are repeated over: ``3 seeds``, ``5 folds x 3 seeds``."""
        return describe_size(self.completed)

    def _spread(self, split: str) -> Spread | None:
        by_fold = are_folds(self.completed)
        return spread((fold_means if by_fold else accuracies)(self.completed, split))

    @property
    def rank(self) -> Rank:
        losses = [run.validation.loss for run in self.completed if run.validation]
        known = [loss for loss in losses if loss is not None]
        accuracy = self.validation.mean if self.validation else None
        loss = fmean(known) if known and len(known) == len(self.completed) else None
        return rank_key(bool(self.completed), accuracy, loss)

    @property
    def test(self) -> Spread | None:
        return self._spread("test")

    @property
    def seconds(self) -> Spread | None:
        """Total time of a run."""
        return spread(
            [seconds for run in self.completed if (seconds := run.seconds("total")) is not None]
        )

    @property
    def label(self) -> str:
        """Short name: values that are names alone, others as key=value; without any, the recipe."""
        parts = [
            value
            if value[:1].isalpha() and value not in PLAIN
            else f"{key.rpartition('.')[2]}={value}"
            for key, value in self.settings.items()
            if value != ABSENT
        ]
        return ", ".join(parts) or self.runs[0].recipe


def count_states(runs: Sequence[RunRecord]) -> str:
    """Number of runs by status, such as "3 completed, 1 failed"."""
    counts = Counter(run.status for run in runs)
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def score_of(run: RunRecord, split: str) -> SplitMetrics | None:
    return run.validation if split == "validation" else run.test


def accuracies(runs: Sequence[RunRecord], split: str) -> list[float]:
    """Accuracies of the runs that have one on the split: validation or test."""
    return [score.accuracy for run in runs if (score := score_of(run, split))]


def distinct(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Drop runs with the weights of an earlier one: a repeated run is no second sample."""
    return list({run.weights or run.path: run for run in reversed(runs)}.values())[::-1]


def is_ignored(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in IGNORED)


def identity(run: RunRecord) -> tuple[tuple[str, str], ...]:
    """All settings that determine the weights, except the seed."""
    values = run.config or run.overrides
    return tuple(
        sorted((key, shown(value)) for key, value in values.items() if not is_ignored(key))
    )


def value_of(run: RunRecord, key: str) -> str:
    """The value of a setting as one types it on the command line."""
    if key in run.config:
        return shown(run.config[key])
    return run.choices.get(key) or run.overrides.get(key) or ABSENT


def differing_settings(runs: Sequence[RunRecord]) -> list[str]:
    """The settings in which the runs differ, except the seed: overrides first, then others."""
    typed = dict.fromkeys(key for run in runs for key in run.overrides if not is_ignored(key))
    keys = [key for key in typed if _differs(key, runs)]
    alike: dict[tuple[str, ...], list[RunRecord]] = defaultdict(list)
    for run in runs:
        alike[tuple(value_of(run, key) for key in keys)].append(run)
    for same in alike.values():
        for key in _differing_keys(same):
            part = key.partition(".")[0]
            named = part in CHOSEN and _differs(part, same)
            keys.append(part if named else key)
    return list(dict.fromkeys(keys))


def _differing_keys(runs: Sequence[RunRecord]) -> list[str]:
    if len({identity(run) for run in runs}) == 1:
        return []
    keys = dict.fromkeys(key for run in runs for key in run.config if not is_ignored(key))
    return [key for key in keys if _differs(key, runs)]


def _differs(key: str, runs: Sequence[RunRecord]) -> bool:
    """Whether the runs are known to have different values of a setting."""
    values = ((run, value_of(run, key)) for run in runs)
    # A job whose configuration could not be composed has only the overrides of the sweep.
    return len({value for run, value in values if run.config or value != ABSENT}) > 1


def group_runs(runs: Sequence[RunRecord]) -> list[Group]:
    """Group runs that differ only in the seed, and rank the groups by ``rank_key``."""
    keys = differing_settings(runs)
    alike: dict[Any, list[RunRecord]] = defaultdict(list)
    for run in runs:
        alike[identity(run)].append(run)
    groups = [
        Group({key: value_of(same[0], key) for key in keys}, tuple(same)) for same in alike.values()
    ]
    return sorted(groups, key=lambda group: group.rank)


@dataclass(frozen=True)
class Effect:
    """Main effect of one value of a setting: the accuracies of all runs that had it."""

    setting: str
    value: str
    accuracies: tuple[float, ...]
    spread: Spread


def main_effects(groups: Sequence[Group], split: str) -> list[Effect]:
    """Accuracy by value of each setting, over all values of the other settings and all seeds.

    Settings of which only one value has a result are left out.

    Args:
        split: validation or test.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in groups:
        for run in group.completed:
            if scored := score_of(run, split):
                for key, value in group.settings.items():
                    found[key, value].append(scored.accuracy)
    num_values = Counter(setting for setting, _ in found)
    order = list(groups[0].settings) if groups else []
    effects = [
        Effect(key, value, tuple(scores), over)
        for (key, value), scores in found.items()
        if num_values[key] > 1 and (over := spread(scores))
    ]
    return sorted(
        effects, key=lambda effect: (order.index(effect.setting), _by_number(effect.value))
    )


def _by_number(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


def split_to_judge_by(runs: Sequence[RunRecord]) -> str:
    """Validation if any completed run has validation scores, else test."""
    return "validation" if any(run.validation for run in runs if run.completed) else "test"


def apart_from_best(best_first: Sequence[Group]) -> dict[int, float]:
    """Test whether each ranked group is worse than the best: p-values adjusted by Holm.

    The best was selected by looking at all groups, so all pairs are tested and adjusted together;
    only those with the best are returned. Welch's t-test on the validation accuracies of the
    seeds; between groups over the same folds the corrected t-test of the differences by fold.
    Groups with a single seed are left out, and pairs that were validated on other images.

    Returns:
        Place in the ranking, from 1 (the best has 0), to adjusted p-value.
    """
    places = [
        place
        for place, group in enumerate(best_first)
        if group.validation and group.validation.n > 1
    ]
    found = {
        pair: p
        for pair in combinations(places, 2)
        if (p := _p_value(*(best_first[place] for place in pair))) is not None
    }
    adjusted = zip(found, holm(list(found.values())), strict=True)
    return {second: p for (first, second), p in adjusted if first == 0}


def _p_value(a: Group, b: Group) -> float | None:
    """p-value of the hypothesis that two groups are equally accurate; None where one is over folds
    and the other is not, or over other folds."""
    if a.folds or b.folds:
        found = fold_difference(a.completed, b.completed)
        return found.p if found else None
    of_a, of_b = (accuracies(group.completed, "validation") for group in (a, b))
    return welch(of_a, of_b, _resolution((a, b))).p


def changed_together(groups: Sequence[Group]) -> list[str]:
    """Settings that take their values together in all groups, so that the effect of one cannot be
    told from that of another."""
    values = {
        key: tuple(group.settings.get(key, ABSENT) for group in groups if group.completed)
        for key in (groups[0].settings if groups else ())
    }
    several = {key: each for key, each in values.items() if len(set(each)) > 1}
    return [
        key
        for key, mine in several.items()
        if any(
            len(set(zip(mine, other, strict=True))) == len(set(mine)) == len(set(other))
            for name, other in several.items()
            if name != key
        )
    ]


def _resolution(groups: Sequence[Group]) -> float:
    """Smallest step between two validation accuracies: 1 / images."""
    return 1 / min(
        run.validation.images for group in groups for run in group.completed if run.validation
    )
