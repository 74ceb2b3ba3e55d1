"""Looking in between keeps the error at 5 %."""

import numpy as np
import pytest
from scipy.stats import t

from mnist_trainer.report.analysis.sequential import (
    StoppingRule,
    Verdict,
    expected_seeds,
    look,
    paired,
    planned_looks,
)

NEVER_NARROW = 1e-12


def rule(most: int = 60, width: float = NEVER_NARROW, comparisons: int = 1) -> StoppingRule:
    return StoppingRule(width, planned_looks(most), comparisons)


def searched(values: list[float], stop: StoppingRule) -> tuple[int, Verdict]:
    for seeds in stop.looks:
        found = look(values[:seeds], stop, 1e-9, is_last=seeds == stop.most)
        if found.verdict is not Verdict.OPEN:
            break
    return found.seeds, found.verdict


def test_looks_grow_by_half_and_end_at_the_most() -> None:
    assert planned_looks(60) == (3, 5, 8, 12, 18, 27, 41, 60)
    assert planned_looks(20) == (3, 5, 8, 12, 20)
    assert planned_looks(3) == (3,)


@pytest.mark.parametrize("most", [3, 4, 7, 100, 10_000])
def test_looks_rise(most: int) -> None:
    looks = planned_looks(most)
    assert sorted(set(looks)) == list(looks)
    assert looks[-1] == most


@pytest.mark.parametrize(("most", "comparisons"), [(60, 1), (20, 3)])
def test_error_of_all_looks_adds_up_to_five_percent(most: int, comparisons: int) -> None:
    stop = rule(most, comparisons=comparisons)
    assert (1 - stop.confidence) * len(stop.looks) * comparisons == pytest.approx(0.05)


def test_interval_of_a_look_by_hand() -> None:
    stop = rule(5)  # Two looks: 2.5 % each.
    found = look([0.01, 0.02, 0.03], stop, 1e-9, is_last=False)
    half = t.ppf(1 - 0.0125, 2) * 0.01 / np.sqrt(3)
    assert (found.low, found.value, found.high) == pytest.approx((0.02 - half, 0.02, 0.02 + half))
    assert found.verdict is Verdict.OPEN


@pytest.mark.parametrize(
    ("values", "width", "is_last", "expected"),
    [
        ([0.05, 0.051, 0.049], NEVER_NARROW, False, Verdict.APART),
        ([-0.05, -0.051, -0.049], NEVER_NARROW, False, Verdict.APART),
        ([0.001, -0.001, 0.0], 0.5, False, Verdict.NARROW),
        ([0.1, -0.1, 0.0], 0.001, False, Verdict.OPEN),
        ([0.1, -0.1, 0.0], 0.001, True, Verdict.SPENT),
        ([0.1], 0.001, False, Verdict.OPEN),
        ([], 0.001, True, Verdict.SPENT),
    ],
)
def test_verdicts(values: list[float], width: float, is_last: bool, expected: Verdict) -> None:
    assert look(values, rule(5, width), 1e-4, is_last=is_last).verdict is expected


def test_equal_differences_are_no_certainty() -> None:
    # Three pairs that differ by exactly one image of 1,000.
    assert look([0.001] * 3, rule(60), 0.001, is_last=False).verdict is Verdict.OPEN


def test_pairs_are_by_seed() -> None:
    assert paired({0: 0.5, 1: 0.6, 2: 0.7}, {2: 0.9, 0: 0.6, 5: 1.0}) == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("most", [12, 60])
def test_false_verdicts_are_at_most_five_percent(most: int) -> None:
    _, found = expected_seeds(0.0, 1.0, rule(most), repeats=5000)
    assert 0.02 < found <= 0.05


class Uncorrected(StoppingRule):
    """Looks at 95 % each time, as one would without a correction."""

    @property
    def confidence(self) -> float:
        return 0.95


def test_uncorrected_looks_err_more() -> None:
    uncorrected = Uncorrected(NEVER_NARROW, planned_looks(60), 1)
    assert expected_seeds(0.0, 1.0, uncorrected, repeats=2000)[1] > 0.1


def test_simulation_is_the_search_itself() -> None:
    stop = rule(20, 1.5)
    drawn = np.random.default_rng(0).normal(0.6, 1.0, (300, 20))
    ends = [searched(values.tolist(), stop) for values in drawn]
    seeds, found = expected_seeds(0.6, 1.0, stop, repeats=300)
    assert np.mean([n for n, _ in ends]) == pytest.approx(seeds)
    assert np.mean([verdict is Verdict.APART for _, verdict in ends]) == pytest.approx(found)
