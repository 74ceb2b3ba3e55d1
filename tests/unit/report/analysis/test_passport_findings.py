"""Each injected fault gives its alarm, and no other."""

import copy
from typing import Any

import pytest

from mnist_trainer.report.analysis.passport_findings import (
    find,
    lost_share,
    relative_spread,
    thresholds,
)
from tests.unit.report.passports import passport


def alarms(values: dict[str, Any]) -> dict[str, str]:
    return {finding.check: finding.found for finding in find(values) if finding.advice}


@pytest.fixture
def clean() -> dict[str, Any]:
    return copy.deepcopy(passport())


def test_clean_passport_gives_no_alarm(clean: dict[str, Any]) -> None:
    assert alarms(clean) == {}


def test_one_wrong_element(clean: dict[str, Any]) -> None:
    first = {"index": [0, 7], "expected": 5, "found": "5.5"}
    clean["exact"][0] |= {"wrong": 1, "first": first}
    assert list(alarms(clean)) == ["exact products"]
    assert "(0, 7) is 5.5, not 5" in alarms(clean)["exact products"]


def test_other_bits_on_a_known_kind(clean: dict[str, Any]) -> None:
    clean["reference"][0]["verdict"] = "different"
    assert list(alarms(clean)) == ["reference run"]


def test_unknown_kind_is_said_without_an_alarm(clean: dict[str, Any]) -> None:
    clean["reference"][0]["verdict"] = "unknown kind"
    assert alarms(clean) == {}
    assert "unknown" in {finding.check: finding.found for finding in find(clean)}["reference run"]


def test_replay_with_other_bits(clean: dict[str, Any]) -> None:
    clean["replays"][0]["same_bits"] = False
    assert list(alarms(clean)) == ["replays"]


def test_capped_capability(clean: dict[str, Any]) -> None:
    clean["machine"]["capability"]["used"] = "DEFAULT"
    clean["machine"]["variables"] = {"ATEN_CPU_CAPABILITY": "default"}
    assert "ATEN_CPU_CAPABILITY=default" in alarms(clean)["capability"]


def test_unknown_offer_is_no_alarm(clean: dict[str, Any]) -> None:
    clean["machine"]["capability"] = {"used": "SVE256", "offered": None}
    assert alarms(clean) == {}


@pytest.mark.parametrize(
    ("threads", "quota", "alarmed"),
    [(8, None, True), (2, 0.5, True), (2, 2.0, False), (2, None, False)],
)
def test_threads_beside_cores_and_quota(
    threads: int, quota: float | None, alarmed: bool, clean: dict[str, Any]
) -> None:
    clean["machine"] |= {"threads": threads, "quota": quota}
    assert ("threads" in alarms(clean)) is alarmed


def test_variable_that_asks_for_more_threads_than_cores(clean: dict[str, Any]) -> None:
    clean["machine"]["variables"] = {"OMP_NUM_THREADS": "8"}
    assert "OMP_NUM_THREADS=8" in alarms(clean)["threads"]
    clean["machine"]["variables"] = {"OMP_NUM_THREADS": "2"}
    assert alarms(clean) == {}


def test_busy_neighbour_from_the_accounts_alone(clean: dict[str, Any]) -> None:
    # Nothing about the timings changes.
    clean["accounts"]["others"] = 0.9 * clean["accounts"]["wall"]
    assert list(alarms(clean)) == ["neighbours"]
    clean["accounts"] |= {"others": 0.0, "stolen": 0.9 * clean["accounts"]["wall"]}
    assert list(alarms(clean)) == ["neighbours"]


def test_stopped_process_is_told_from_one_that_waits(clean: dict[str, Any]) -> None:
    for sample in clean["moods"]:
        sample["wall"] = 2 * sample["cpu"]
        sample["waited"] = sample["cpu"]
    assert alarms(clean) == {}
    for sample in clean["moods"]:
        sample["waited"] = 0.0
    assert list(alarms(clean)) == ["throttling"]


def test_throttled_control_group(clean: dict[str, Any]) -> None:
    clean["accounts"] |= {"throttlings": 40, "throttled": 0.2 * clean["accounts"]["wall"]}
    assert list(alarms(clean)) == ["throttling"]


def test_spread_ignores_a_few_extreme_values() -> None:
    # Median 10, absolute deviations 1, 1, 0, 0, 90: their median is 1.
    assert relative_spread([9.0, 11.0, 10.0, 10.0, 100.0]) == pytest.approx(0.14826)


def test_lost_share_by_hand() -> None:
    samples = [
        {"wall": 1.0, "cpu": 0.5, "waited": None, "others": 0.25, "stolen": 0.0},
        {"wall": 1.0, "cpu": 0.5, "waited": None, "others": 0.25, "stolen": 0.0},
    ]
    assert lost_share(samples) == pytest.approx(0.25)
    assert lost_share([{**sample, "waited": 0.5} for sample in samples]) == 0


def test_wider_spread_allows_more(clean: dict[str, Any]) -> None:
    samples = [{**sample, "cpu": sample["cpu"] * factor} for sample, factor in
               zip(clean["moods"], [0.8, 1.0, 1.2] * 8, strict=True)]  # fmt: skip
    narrow = thresholds(clean["moods"], clean["accounts"], 2)
    wide = thresholds(samples, clean["accounts"], 2)
    assert wide.spread == pytest.approx(1.4826 * 0.2, rel=0.05)
    assert wide.others_cores == pytest.approx(3 * wide.spread)
    assert narrow.others_cores < wide.others_cores
    assert narrow.lost_share < wide.lost_share


def test_recipe_that_learns_too_little(clean: dict[str, Any]) -> None:
    clean["to_99"]["test_accuracy"] = 0.985
    assert list(alarms(clean)) == ["seconds to 99 %"]


def test_part_that_failed(clean: dict[str, Any]) -> None:
    clean["failed"] = [{"part": "replay: mps bf16", "error": "not implemented\nmore"}]
    assert alarms(clean) == {"replay: mps bf16": "failed: not implemented"}
