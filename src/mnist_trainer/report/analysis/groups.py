"""Runs that differ in nothing but their seed, as one; and which settings tell the others apart."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from mnist_trainer.config.config_hash import HASH_EXCLUDED_KEYS
from mnist_trainer.report.analysis.statistics import Spread, holm, spread, welch
from mnist_trainer.report.read.records import RunRecord, SplitMetrics, shown

# What does not set recipes apart: the seed, what is learned the same with or without, and how many
# images are scored at a time.
IGNORED = ("seed", *HASH_EXCLUDED_KEYS, "trainer.eval_batch_size", "hydra")
# Parts that are chosen by name, so that the name says more than the options that came with it.
CHOSEN = ("model", "loss", "optimizer", "scheduler", "transforms")
ABSENT = "-"
PLAIN = ("null", "true", "false")
"""Values that say nothing without their setting."""
LEVEL = 0.05


@dataclass(frozen=True)
class Group:
    """Runs of one recipe, over seeds."""

    settings: dict[str, str]
    """What sets the group apart from the others: setting to value."""
    runs: tuple[RunRecord, ...]

    @cached_property
    def completed(self) -> list[RunRecord]:
        """The runs that count: completed, and the same weights once however often they were
        trained."""
        return distinct([run for run in self.runs if run.completed])

    @property
    def validation(self) -> Spread | None:
        """Validation accuracy over the seeds; None unless all that count have it."""
        scores = validation_accuracies(self.completed)
        return spread(scores) if len(scores) == len(self.completed) else None

    @property
    def test(self) -> Spread | None:
        return spread(test_accuracies(self.completed))

    @property
    def seconds(self) -> Spread | None:
        """Total time of a run."""
        return spread(
            [seconds for run in self.completed if (seconds := run.seconds("total")) is not None]
        )

    @property
    def label(self) -> str:
        """Short name: names stand for themselves, numbers say what they are; without settings, the
        recipe."""
        parts = [
            value
            if value[:1].isalpha() and value not in PLAIN
            else f"{key.rpartition('.')[2]}={value}"
            for key, value in self.settings.items()
            if value != ABSENT
        ]
        return ", ".join(parts) or self.runs[0].recipe

    @property
    def states(self) -> str:
        """How many runs of the group came to what."""
        counts: dict[str, int] = defaultdict(int)
        for run in self.runs:
            counts[run.status] += 1
        return ", ".join(f"{count} {status}" for status, count in counts.items())


def test_accuracies(runs: Sequence[RunRecord]) -> list[float]:
    return [run.test.accuracy for run in runs if run.test]


def validation_accuracies(runs: Sequence[RunRecord]) -> list[float]:
    return [run.validation.accuracy for run in runs if run.validation]


def distinct(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Each set of weights once: a run that was repeated with the same seed is no second sample."""
    return list({run.weights or run.path: run for run in reversed(runs)}.values())[::-1]


def is_ignored(key: str) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in IGNORED)


def identity(run: RunRecord) -> tuple[tuple[str, str], ...]:
    """All that makes the run what it is, but for the seed."""
    values = run.config or run.overrides
    return tuple(
        sorted((key, shown(value)) for key, value in values.items() if not is_ignored(key))
    )


def value_of(run: RunRecord, key: str) -> str:
    """A setting as one would type its value."""
    if key in run.config:
        return shown(run.config[key])
    return run.choices.get(key) or run.overrides.get(key) or ABSENT


def differing_settings(runs: Sequence[RunRecord]) -> list[str]:
    """The settings that tell the runs apart, the seed left out: first what was typed, then what
    else differs."""
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
    """Whether the runs are known to have several values of a setting."""
    values = ((run, value_of(run, key)) for run in runs)
    # A job that could not be composed has no configuration, and tells only what set it apart from
    # its siblings.
    return len({value for run, value in values if run.config or value != ABSENT}) > 1


def group_runs(runs: Sequence[RunRecord]) -> list[Group]:
    """Groups over seeds: the best mean validation accuracy first, then those that cannot be ranked,
    in their order."""
    keys = differing_settings(runs)
    alike: dict[Any, list[RunRecord]] = defaultdict(list)
    for run in runs:
        alike[identity(run)].append(run)
    groups = [
        Group({key: value_of(same[0], key) for key in keys}, tuple(same)) for same in alike.values()
    ]
    return sorted(
        groups,
        key=lambda group: (
            group.validation is None,
            -(group.validation.mean if group.validation else 0),
        ),
    )


@dataclass(frozen=True)
class Effect:
    """A value of a setting: what came of all the runs that had it."""

    setting: str
    value: str
    accuracies: tuple[float, ...]
    spread: Spread


def main_effects(groups: Sequence[Group], split: str) -> list[Effect]:
    """Accuracy for each value of each setting that has several, over all values of the others and
    all seeds.

    Args:
        split: validation or test.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in groups:
        for run in group.completed:
            if scored := score_of(run, split):
                for key, value in group.settings.items():
                    found[key, value].append(scored.accuracy)
    effects = [
        Effect(key, value, tuple(accuracies), over)
        for (key, value), accuracies in found.items()
        if (over := spread(accuracies))
    ]
    order = list(groups[0].settings) if groups else []
    # Where only one value has come to a result there is nothing to compare it with.
    effects = [
        effect
        for effect in effects
        if sum(other.setting == effect.setting for other in effects) > 1
    ]
    return sorted(
        effects, key=lambda effect: (order.index(effect.setting), _by_number(effect.value))
    )


def _by_number(value: str) -> tuple[int, float, str]:
    try:
        return 0, float(value), value
    except ValueError:
        return 1, 0.0, value


def score_of(run: RunRecord, split: str) -> SplitMetrics | None:
    return run.validation if split == "validation" else run.test


def split_to_judge_by(runs: Sequence[RunRecord]) -> str:
    """Validation where any completed run has it, else test."""
    return "validation" if any(run.validation for run in runs if run.completed) else "test"


def apart_from_best(ranked: Sequence[Group]) -> dict[int, float]:
    """Of each ranked group but the best, how sure it is that it is not as good: a p-value adjusted
    by Holm.

    The best one was found by looking at all, so all pairs are tested (Welch's t on the validation
    accuracies of the seeds) and adjusted together; those with the best are told. Groups of a single
    seed are left out.

    Returns:
        Place in the ranking, from 1 (the best has 0), to adjusted p-value.
    """
    able = [
        place for place, group in enumerate(ranked) if group.validation and group.validation.n >= 2
    ]
    pairs = list(combinations(able, 2))
    scores = {place: validation_accuracies(ranked[place].completed) for place in able}
    p_values = [
        welch(scores[i], scores[j], _resolution((ranked[i], ranked[j]))).p for i, j in pairs
    ]
    adjusted = zip(pairs, holm(p_values), strict=True)
    return {second: p for (first, second), p in adjusted if first == 0}


def _resolution(groups: Sequence[Group]) -> float:
    """The least step between two accuracies."""
    return 1 / min(
        run.validation.images for group in groups for run in group.completed if run.validation
    )
