"""Verdicts on claims of the literature: a wrong claim fails, and no tolerance moves afterwards."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.claims import main, measure, ordered, parse, read_records, write_records
from benchmarks.literature import recipes
from benchmarks.literature.accuracies import error_overlap, spread_ratio
from benchmarks.literature.causes import CAUSES
from benchmarks.literature.claim import judged_record
from benchmarks.literature.measurements import MEASUREMENTS
from benchmarks.literature.page import PAGE, accepted_words, fill
from benchmarks.literature.registered import CLAIMS, CONTROL
from benchmarks.literature.robustness import hardest
from benchmarks.literature.runs import Runs, one_of_each_key
from benchmarks.literature.verdict import (
    Accepted,
    Estimate,
    around,
    judge,
    mean_over_seeds,
    pairs_needed,
)
from benchmarks.results import RESULTS
from scipy.stats import norm

NAMES = [claim.name for claim in CLAIMS]


def estimate(low: float, high: float, n: int = 3) -> Estimate:
    return Estimate((low + high) / 2, low, high, n, "95 %")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (98.6, 99.4, "reproduced"),
        (98.5, 99.5, "reproduced"),
        (91.0, 93.0, "not reproduced"),
        (99.6, 99.9, "not reproduced"),
        (98.0, 98.6, "cannot tell"),
        (99.0, 99.6, "cannot tell"),
        (90.0, 100.0, "cannot tell"),
        (math.nan, math.nan, "cannot tell"),
        (-math.inf, math.inf, "cannot tell"),
    ],
)
def test_verdict_follows_from_where_the_interval_lies(
    low: float, high: float, verdict: str
) -> None:
    assert judge(estimate(low, high), around(99, 0.5), 3)[0] == verdict


def test_fewer_runs_than_planned_cannot_tell() -> None:
    verdict, reason = judge(estimate(98.9, 99.1, n=2), around(99, 0.5), 3)
    assert (verdict, reason) == ("cannot tell", "n = 2, and 3 were planned")
    assert judge(estimate(10, 11, n=2), None, 3)[0] == "cannot tell"


def test_what_nobody_published_is_not_reproduced_but_measured() -> None:
    assert judge(estimate(10, 11), None, 3)[0] == "first measured"


def test_a_one_sided_claim_has_no_other_end() -> None:
    assert judge(estimate(0.1, 1e6), Accepted(low=0), 3)[0] == "reproduced"
    assert judge(estimate(-2, -1), Accepted(low=0), 3)[0] == "not reproduced"
    assert judge(estimate(-1, 1), Accepted(low=0), 3)[0] == "cannot tell"


def test_accepted_values_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="must be below"):
        around(99, 0)


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of the wrong claim, from runs that were really trained."""
    folder = tmp_path_factory.mktemp("claims")
    main(["--quick", "--only", "control", "--output", str(folder)])
    return read_records(folder)[CONTROL.name]


def test_a_wrong_claim_fails_end_to_end(control: dict[str, Any]) -> None:
    assert control["verdict"] == "not reproduced"
    assert control["quick"] is True
    assert control["measured"]["n"] == len(set(control["measured"]["values"])) == CONTROL.needed


def test_the_same_runs_reproduce_a_claim_that_is_right(control: dict[str, Any]) -> None:
    low, high = control["measured"]["interval"]
    right = dataclasses.replace(CONTROL, accepted=Accepted(50, 95))
    assert judged_record(right, estimate(low, high), {})["verdict"] == "reproduced"


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    runs = Runs(tmp_path, quick=True)
    (first,) = runs.train(recipes.LINEAR, 1)
    assert first.folder is not None
    written = first.folder.result.stat().st_mtime_ns
    (second,) = runs.train(recipes.LINEAR, 1)
    assert second.checkpoint.sha256 == first.checkpoint.sha256
    assert first.folder.result.stat().st_mtime_ns == written


def test_fewer_seeds_than_planned_are_trained_where_time_is_short(tmp_path: Path) -> None:
    assert Runs(tmp_path, most_seeds=2).num_seeds(5) == 2
    assert Runs(tmp_path, most_seeds=9).num_seeds(5) == Runs(tmp_path).num_seeds(5) == 5
    with pytest.raises(SystemExit):
        parse(["--most-seeds", "1"])


def test_of_words_with_the_same_key_the_last_counts() -> None:
    words = ["trainer.epochs=3", "model=cnn", "trainer.epochs=1"]
    assert one_of_each_key(words) == ["trainer.epochs=1", "model=cnn"]


def test_what_cannot_be_measured_is_kept_with_its_reason(tmp_path: Path) -> None:
    records = measure("adversarial", Runs(tmp_path), None)
    records |= measure("poly", Runs(tmp_path), "takes an hour here")
    assert {record["verdict"] for record in records.values()} == {"not run"}
    assert "no finished run of it was named" in records["madry-pgd"]["reason"]
    assert records["polyloss"]["reason"] == "takes an hour here"
    write_records(tmp_path, records)
    kept = read_records(tmp_path)
    assert list(kept) == NAMES
    assert kept["polyloss"] == records["polyloss"]
    assert kept["mnist-c-mean"]["reason"] == "not measured yet"


def test_quick_numbers_do_not_go_into_the_documentation() -> None:
    with pytest.raises(SystemExit):
        parse(["--quick", "--page"])


def test_mean_of_equal_values_still_has_an_interval() -> None:
    found = mean_over_seeds([90.0, 90.0, 90.0], 0.01)
    # t(0.975, 2) = 4.303, and sd counts as one image.
    assert found.high - found.value == pytest.approx(4.302653 * 0.01 / math.sqrt(3))


@pytest.mark.parametrize(("sd", "difference"), [(0.0566, 0.05), (0.2, 0.05), (1.0, 0.5)])
def test_planned_pairs_are_the_fewest_with_that_power(sd: float, difference: float) -> None:
    def power(pairs: int) -> float:
        return float(norm.cdf(difference * math.sqrt(pairs) / sd - norm.ppf(0.975)))

    pairs = pairs_needed(sd, difference)
    assert power(pairs) >= 0.8 > power(pairs - 1)


def test_spread_ratio_by_hand() -> None:
    # Numbers correct 1, 2: variance 0.5. Shares 1, 0.5: 0.25 times K / (K - 1) = 2 is 0.5.
    assert spread_ratio(np.array([[1, 0], [1, 1]], dtype=bool)).value == pytest.approx(1)
    # Numbers correct 0, 2: variance 2; twice 0.25 times 2 is 1.
    assert spread_ratio(np.array([[0, 0], [1, 1]], dtype=bool)).value == pytest.approx(2**0.5)


def test_spread_ratio_tells_independent_errors_from_shared_ones() -> None:
    rng = np.random.default_rng(0)
    chances = rng.uniform(0.5, 1, 2_000)
    independent = rng.random((200, 2_000)) < chances
    good_days = rng.random((200, 1)) < 0.5
    shared = rng.random((200, 2_000)) < np.where(good_days, chances, chances - 0.1)
    accepted = Accepted(0.7, 1.4)
    assert judge(spread_ratio(independent), accepted, 40)[0] == "reproduced"
    assert judge(spread_ratio(shared), accepted, 40)[0] == "not reproduced"


def test_spread_ratio_of_seeds_without_errors_cannot_tell() -> None:
    assert judge(spread_ratio(np.ones((40, 5), dtype=bool)), Accepted(0.7, 1.4), 40)[0] == (
        "cannot tell"
    )


def test_error_overlap_by_hand() -> None:
    # Errors {0, 1} and {1}: of three errors, two are shared with the other seed.
    assert error_overlap(np.array([[0, 0, 1], [1, 0, 1]], dtype=bool)) == pytest.approx(2 / 3)


def test_hardest_are_the_five_of_smallest_accuracy() -> None:
    assert hardest(dict(zip("abcdefg", (7, 1, 6, 2, 3, 4, 5), strict=True))) == set("bdefg")


def test_names_are_unique_and_each_claim_has_a_measurement() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {claim.group for claim in CLAIMS} == set(MEASUREMENTS)
    assert set(CAUSES) <= set(NAMES)


def test_nothing_that_was_written_down_has_changed_since_it_was_measured() -> None:
    """A tolerance, a sentence or a number of runs that was changed asks for a new measurement."""
    kept = read_records(RESULTS)
    assert list(kept) == NAMES
    for claim in CLAIMS:
        written = claim.as_json()
        assert {key: kept[claim.name][key] for key in written} == written


def test_verdicts_follow_from_the_records() -> None:
    for claim in CLAIMS:
        record = read_records(RESULTS)[claim.name]
        if measured := record["measured"]:
            low, high = measured["interval"]
            found = Estimate(measured["value"], low, high, measured["n"], "")
            assert judge(found, claim.accepted, claim.needed) == (
                record["verdict"],
                record["reason"],
            )
            assert record["quick"] is False
        else:
            assert record["verdict"] == "not run"


def test_every_claim_that_is_not_reproduced_has_its_reason() -> None:
    records = read_records(RESULTS).values()
    failed = {each["name"] for each in records if each["verdict"] == "not reproduced"}
    assert failed <= set(CAUSES)


def test_the_page_is_what_the_records_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert fill(text, ordered(read_records(RESULTS)), CAUSES) == text


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        fill("# Nothing", [])


@pytest.mark.parametrize(
    ("accepted", "words"),
    [(None, ""), ([73, 83], "73 to 83 %"), ([0, None], "at least 0 %"), ([None, 9], "at most 9 %")],
)
def test_accepted_values_in_words(accepted: list[float | None] | None, words: str) -> None:
    assert accepted_words(accepted, "%") == words
