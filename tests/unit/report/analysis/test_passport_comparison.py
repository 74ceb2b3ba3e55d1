"""What is said of two machines."""

import copy
from typing import Any

import pytest

from mnist_trainer.report.analysis.passport_comparison import compare_passports
from mnist_trainer.report.read.json_values import JsonValues
from tests.unit.report.passports import passport


@pytest.fixture
def other() -> dict[str, Any]:
    return copy.deepcopy(passport())


def said(other: dict[str, Any]) -> tuple[str, ...]:
    return compare_passports(JsonValues(passport()), JsonValues(other), ("a", "b")).sentences


def test_a_machine_equals_itself(other: dict[str, Any]) -> None:
    compared = compare_passports(JsonValues(passport()), JsonValues(other), ("a", "b"))
    assert compared.differences == ()
    assert compared.sentences[0].startswith("A and B are equally quick")
    assert compared.sentences[1].startswith("Same bits: all 2 reference runs")
    assert {figure.quicker for figure in compared.figures} == {1.0}


def test_slower_with_the_same_bits_and_emulated_bf16(other: dict[str, Any]) -> None:
    other["to_99"]["train_seconds"] = 1.7 * 1.2
    other["low_precision"][0] |= {"native": False, "ratio": 0.5}
    sentences = said(other)
    assert sentences[0] == "B is 1.7 times slower than A (training to 99 %)."
    assert sentences[1].startswith("Same bits")
    assert sentences[2] == "The bf16 of B's cpu is emulated: 0.5 times the speed of fp32."


def test_quick_passports_are_compared_by_a_recipe(other: dict[str, Any]) -> None:
    del other["to_99"]
    other["recipes"][0]["step_ms"] = 0.85
    assert said(other)[0] == "B is 2 times quicker than A (step of docs_fcn)."


def test_other_bits_are_named(other: dict[str, Any]) -> None:
    other["reference"][1]["losses"] = "ee" * 32
    assert said(other)[1] == "Other bits: 1 of 2 reference runs differ (cnn with 2 threads)."


def test_alarms_put_figures_in_doubt(other: dict[str, Any]) -> None:
    other["findings"] = [
        {"check": "neighbours", "found": "x", "allowed": "y", "advice": "wait"},
        {"check": "threads", "found": "x", "allowed": "y", "advice": None},
    ]
    assert said(other)[-1] == "B was measured with alarms: neighbours."


def test_differences_name_variables(other: dict[str, Any]) -> None:
    other["machine"]["variables"] = {"MKL_CBWR": "AVX2"}
    compared = compare_passports(JsonValues(passport()), JsonValues(other), ("a", "b"))
    assert compared.differences == (("$MKL_CBWR", "-", "AVX2"),)


def test_nothing_in_common_is_said() -> None:
    empty = JsonValues({})
    sentences = compare_passports(empty, empty, ("a", "b")).sentences
    assert sentences[0] == "The passports have no speed in common."
    assert "cannot be compared" in sentences[1]
