"""The measurements of docs/decide.md, and the records that are shipped."""

import json

import numpy as np
from benchmarks.decide.__main__ import PAGE, disjoint, halves, known_effect, page_with
from benchmarks.decide.make_spread import SHIPPED, shipped_records
from benchmarks.results import RESULTS

from mnist_trainer.runs.metrics import wilson_interval


def test_shipped_records_are_what_was_measured() -> None:
    measured = json.loads((RESULTS / "spread.json").read_text("utf-8"))
    assert json.loads(SHIPPED.read_text("utf-8")) == shipped_records(measured)


def test_page_shows_the_results() -> None:
    found, page = json.loads((RESULTS / "decide.json").read_text("utf-8")), PAGE.read_text("utf-8")
    assert page_with(page, found) == page


def test_false_verdicts_and_predictions_hold() -> None:
    found = json.loads((RESULTS / "decide.json").read_text("utf-8"))
    for each in found["false"]:
        assert each["searches"] >= 200
        if each["searches"] >= 5000:
            assert each["apart"] <= 0.05 * each["searches"]
        # So few that only chance is to be ruled out: the interval holds 5 %, or lies below.
        assert wilson_interval(each["apart"], each["searches"])[0] <= 0.05
    for each in found["effects"]:
        assert abs(each["until_observed"] / each["until_predicted"] - 1) <= 0.3
        assert abs(each["fixed_observed"] / each["fixed_predicted"] - 1) <= 0.3


def test_no_run_is_compared_with_itself_or_twice() -> None:
    pool = np.exp2(
        np.arange(20, dtype=np.float64)
    )  # A sum of differences of powers of two names its runs.
    rng = np.random.default_rng(0)
    for differences in halves(pool, 5, 50, rng):
        assert np.abs(differences).min() > 0
    used = [np.abs(each) for each in disjoint(pool, 2, rng)]
    assert len(used) == 5
    assert len({float(value) for each in used for value in each}) == 10


def test_predictions_of_normal_differences_come_true() -> None:
    differences = np.random.default_rng(1).normal(0.02, 0.03, 400)
    found = known_effect("", differences, 20, 200, np.random.default_rng(2), 1e-4)
    assert abs(found.until_observed / found.until_predicted - 1) < 0.15
    assert abs(found.fixed_power - 0.8) < 0.12
