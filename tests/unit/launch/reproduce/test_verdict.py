"""The verdict follows from what two runs hold, and asks for training only where it must."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.errors import ExitCode
from mnist_trainer.launch.reproduce.outcome import LoggedKey, Outcome, compare
from mnist_trainer.launch.reproduce.rounding import Rounding
from mnist_trainer.launch.reproduce.verdict import Evidence, Verdict, judge
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.trail import Trail

EPOCH_LOSS = LoggedKey(30, "epoch", "train", 1, "loss")
LOSSES = {step: 1 / step for step in range(1, 31)}
HERE = {"packages": {"torch": "2.14.1"}, "device": {"type": "cpu", "precision": "fp32"}}


def run(
    accuracy: float = 0.97, loss: float = 0.1, seed: int = 0, weights: str = "a", **changes: Any
) -> Outcome:
    test = {"accuracy": accuracy, "loss": loss, "images": 10_000}
    return replace(
        Outcome(
            folder=RunFolder(Path("run")),
            config={"seed": seed},
            environment=HERE,
            trail=Trail(LOSSES, {1: 5}),
            logged={EPOCH_LOSS: loss},
            result={
                "test": test,
                "steps": 30,
                "weights_sha256": weights,
                "last_weights_sha256": weights,
            },
        ),
        **changes,
    )


def parted(step: int, by: float, **changes: Any) -> Outcome:
    losses = {s: loss + (by if s >= step else 0) for s, loss in LOSSES.items()}
    return run(trail=Trail(losses, {1: 5}), **{"weights": "b", **changes})


def not_needed(*_: object) -> Any:
    raise AssertionError("nothing is to be trained for this verdict")


def evidence(rounding: Rounding | None = None, seeds: Sequence[Outcome] = ()) -> Evidence:
    return Evidence(lambda _: rounding, lambda: seeds)


SEEDS = [run(accuracy=0.97 + n / 1000, loss=0.1 + n / 1000, seed=n + 1) for n in range(-2, 3)]
LITTLE, LARGE = Rounding(2e-7, 2e-7), Rounding(1e-2, 2e-7)


def test_equal_runs_are_the_same_bits() -> None:
    found = judge(run(), run(), Evidence(not_needed, not_needed))
    assert found.verdict == Verdict.SAME_BITS
    assert found.comparison.compared.startswith("30 losses, 1 digests")


@pytest.mark.parametrize(
    "again",
    [
        run(trail=Trail({**LOSSES, 30: 0.5}, {1: 5})),
        run(trail=Trail(LOSSES, {1: 6})),
        run(weights="b"),
        run(logged={EPOCH_LOSS: 0.1 + 1e-16}),
    ],
    ids=["loss", "digest", "weights", "logged"],
)
def test_any_bit_that_differs_is_not_the_same(again: Outcome) -> None:
    assert not compare(run(), again).same_bits
    assert judge(run(), again, evidence()).verdict != Verdict.SAME_BITS


def test_a_run_that_ended_early_is_compared_as_far_as_it_went() -> None:
    short = run(trail=Trail({1: 1.0, 2: 0.5}, {}), result={}, logged={})
    assert judge(short, run(), Evidence(not_needed, not_needed)).verdict == Verdict.SAME_BITS


def test_nothing_in_common_cannot_be_judged() -> None:
    empty = run(trail=Trail({}, {}))
    assert judge(empty, run(), evidence()).verdict == Verdict.UNJUDGED


def test_a_difference_of_the_twin_s_size_is_rounding() -> None:
    found = judge(run(), parted(20, 2e-7), Evidence(lambda _: LITTLE, not_needed))
    assert found.verdict == Verdict.ROUNDING


def test_a_larger_difference_with_the_same_seed_is_different() -> None:
    found = judge(run(), parted(20, 1e-2), Evidence(lambda _: LARGE, not_needed))
    assert found.verdict == Verdict.DIFFERENT
    assert found.verdict.exit_code is ExitCode.DIFFERENT
    parting = found.comparison.parting
    assert parting is not None
    assert (parting.step, parting.same_until) == (20, 19)


def test_another_version_of_torch_may_draw_other_numbers() -> None:
    elsewhere = {**HERE, "packages": {"torch": "2.11.0"}}
    again = parted(1, 1e-2, environment=elsewhere)
    assert judge(run(), again, evidence(LARGE, SEEDS)).verdict == Verdict.STATISTICAL


def test_rounding_does_not_explain_another_accuracy() -> None:
    again = parted(20, 2e-7, accuracy=0.90)
    assert judge(run(), again, evidence(LITTLE, SEEDS)).verdict == Verdict.DIFFERENT


@pytest.mark.parametrize(
    ("accuracy", "verdict"), [(0.971, Verdict.STATISTICAL), (0.9, Verdict.DIFFERENT)]
)
def test_another_seed_is_judged_by_others(accuracy: float, verdict: Verdict) -> None:
    again = parted(1, 0.1, seed=9, accuracy=accuracy)
    found = judge(run(), again, Evidence(not_needed, lambda: SEEDS))
    assert found.verdict == verdict
    assert all(test.seeds == len(SEEDS) + 1 for test in found.tests)


def test_too_few_seeds_cannot_judge() -> None:
    found = judge(run(), parted(1, 0.1, seed=9), evidence(seeds=SEEDS[:1]))
    assert found.verdict == Verdict.UNJUDGED
    assert found.verdict.exit_code is ExitCode.UNJUDGED


def test_equal_weights_whose_evaluation_is_summed_otherwise_are_rounding() -> None:
    again = run(logged={EPOCH_LOSS: 0.1 * (1 + 1e-7)})
    found = judge(run(), again, Evidence(not_needed, not_needed))
    assert found.verdict == Verdict.ROUNDING
    again = run(logged={EPOCH_LOSS: 0.11})
    assert judge(run(), again, evidence()).verdict == Verdict.DIFFERENT


def test_means_over_other_intervals_are_not_compared() -> None:
    key = LoggedKey(20, "interval", "train", 1, "loss", since=10)
    other = replace(key, since=0)
    found = compare(run(logged={key: 0.5}), run(logged={other: 0.7}))
    assert found.same_bits
    assert found.num_logged == 0
    assert not compare(run(logged={key: 0.5}), run(logged={key: 0.7})).same_bits
