"""Digests that are shipped for known kinds of processor."""

from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.compute.passport.known import expected_digests, known_kinds, record_kinds
from mnist_trainer.launch.passport.reference import MODELS, RECIPE


def entry(threads: int, weights: str) -> dict[str, Any]:
    return {"kind": {"threads": threads}, "recipe": ["a"], "digests": {"fcn": weights}}


def test_shipped_entries_are_of_the_recipe_that_is_run() -> None:
    assert known_kinds()
    for each in known_kinds():
        assert each["recipe"] == list(RECIPE)
        assert set(each["digests"]) == set(MODELS)
    kinds = [str(each["kind"]) for each in known_kinds()]
    assert len(set(kinds)) == len(kinds)


def test_an_entry_is_found_by_kind_and_recipe() -> None:
    entries = [entry(1, "x"), entry(2, "y")]
    assert expected_digests({"threads": 2}, ["a"], entries) == {"fcn": "y"}
    assert expected_digests({"threads": 2}, ["b"], entries) is None
    assert expected_digests({"threads": 3}, ["a"], entries) is None


def test_other_digests_of_a_recorded_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    assert record_kinds(path, [entry(1, "x")]) == 1
    assert record_kinds(path, [entry(1, "x"), entry(2, "y")]) == 1
    before = path.read_bytes()
    with pytest.raises(ValueError, match="other digests"):
        record_kinds(path, [entry(2, "z")])
    assert path.read_bytes() == before
