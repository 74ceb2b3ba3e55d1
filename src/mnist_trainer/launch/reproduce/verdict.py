"""The verdict on a run that was trained once more."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mnist_trainer.errors import ExitCode
from mnist_trainer.launch.reproduce.outcome import Comparison, Outcome, compare
from mnist_trainer.launch.reproduce.rounding import Rounding
from mnist_trainer.launch.reproduce.seeds import SeedTest, compare_with_seeds
from mnist_trainer.runs.read import number
from mnist_trainer.runs.trail import Parting

EXPLAINING = (
    ("packages", "torch"),
    ("device", "type"),
    ("device", "precision"),
    ("world", "processes"),
)
"""What of the environment can change a loss by more than rounding in fp32."""
NEAR = 3.0
"""Standard errors by which test accuracies of two runs that rounding has parted may differ."""
EVALUATION_ROUNDING = 1e-5
"""Relative difference of a logged loss that equal weights may have: its sum is over batches."""


class Verdict(StrEnum):
    """How a run compares with the original, the strongest first."""

    SAME_BITS = "same bits"
    ROUNDING = "same up to rounding"
    STATISTICAL = "statistically the same"
    DIFFERENT = "different"
    UNJUDGED = "cannot be judged"

    @property
    def exit_code(self) -> ExitCode:
        return {self.DIFFERENT: ExitCode.DIFFERENT, self.UNJUDGED: ExitCode.UNJUDGED}.get(
            self, ExitCode.OK
        )


@dataclass(frozen=True)
class Judgement:
    """A verdict and what it rests on."""

    verdict: Verdict
    because: str
    comparison: Comparison
    rounding: Rounding | None = None
    tests: Sequence[SeedTest] = field(default=())


@dataclass(frozen=True)
class Evidence:
    """What can be found out where the bits are not the same; each costs training."""

    rounding: Callable[[Parting], Rounding | None]
    """Measures rounding at the step where the runs part; None where it cannot be calibrated."""
    seeds: Callable[[], Sequence[Outcome]]
    """Runs of the original's recipe with other seeds."""


def judge(original: Outcome, again: Outcome, evidence: Evidence) -> Judgement:
    """Compare a run with the original, and say how near it came."""
    comparison = compare(original, again)
    if not comparison.num_losses:
        because = "the original holds no losses of steps that this run has made"
        return Judgement(Verdict.UNJUDGED, because, comparison)
    if comparison.same_bits:
        return Judgement(Verdict.SAME_BITS, f"equal: {comparison.compared}", comparison)
    if comparison.parting is None:
        return _judge_evaluation(comparison)
    rounding = None
    same_seed = original.config.get("seed") == again.config.get("seed")
    if same_seed and original.trail and again.trail:
        rounding = evidence.rounding(comparison.parting)
    if rounding and (verdict := _verdict_by_rounding(original, again, rounding)):
        because = f"the losses part by {rounding.ratio:.2g} times what rounding makes at that step"
        if verdict == Verdict.DIFFERENT:
            because += ", and the same seed leaves nothing else to chance"
        return Judgement(verdict, because, comparison, rounding)
    return _judge_among_seeds(original, again, comparison, rounding, evidence.seeds())


def _verdict_by_rounding(original: Outcome, again: Outcome, rounding: Rounding) -> Verdict | None:
    """What the size of the first difference says; None where the spread of seeds must decide."""
    if rounding.fits:
        return Verdict.ROUNDING if _is_near(original, again) else None
    return None if explained(original, again) else Verdict.DIFFERENT


def _judge_evaluation(comparison: Comparison) -> Judgement:
    """The verdict where all training losses are equal, and something else is not."""
    first, weights = comparison.first_logged, comparison.weights_equal
    if first is not None and weights is not False:
        _, there, here = first
        if abs(there - here) <= EVALUATION_ROUNDING * max(abs(there), abs(here)):
            because = "all training losses are equal; an evaluation is summed in another order"
            return Judgement(Verdict.ROUNDING, because, comparison)
    what = "the weights are not" if weights is False else "what was logged is not"
    return Judgement(Verdict.DIFFERENT, f"all training losses are equal, {what}", comparison)


def _judge_among_seeds(
    original: Outcome,
    again: Outcome,
    comparison: Comparison,
    rounding: Rounding | None,
    others: Sequence[Outcome],
) -> Judgement:
    runs = [run for run in (original, *others) if run.result]
    tests = compare_with_seeds(again, runs) if len(runs) >= 3 and again.result else []
    if not tests:
        because = (
            "the bits differ, and too few runs with other seeds are at hand to say whether another"
            " seed would have come as near: reproduce_seeds=3"
        )
        return Judgement(Verdict.UNJUDGED, because, comparison, rounding)
    outside = [test.name for test in tests if not test.fits]
    if outside:
        because = f"another seed would have come nearer in: {', '.join(outside)}"
        return Judgement(Verdict.DIFFERENT, because, comparison, rounding, tests)
    because = f"another seed would have come as near, by {len(runs)} runs of the recipe"
    return Judgement(Verdict.STATISTICAL, because, comparison, rounding, tests)


def explained(original: Outcome, again: Outcome) -> list[str]:
    """What of the environment differs and can change losses by more than rounding."""

    def value(environment: Mapping[str, Any], section: str, name: str) -> Any:
        values = environment.get(section)
        return values.get(name) if isinstance(values, dict) else None

    return [
        f"{section}.{name}"
        for section, name in EXPLAINING
        if value(original.environment, section, name) != value(again.environment, section, name)
    ]


def _is_near(original: Outcome, again: Outcome) -> bool:
    """Whether the test accuracies are as near as those of runs that rounding has parted."""
    tests = [run.result.get("test") or {} for run in (original, again)]
    a, b = (number(test.get("accuracy")) for test in tests)
    images = number(tests[0].get("images"))
    if a is None or b is None or not images:
        return True  # The original did not come to its end.
    # Nearly right models differ in few images: at least one counts.
    error = math.sqrt(max(a * (1 - a) + b * (1 - b), 1 / images) / images)
    return abs(a - b) <= NEAR * error
