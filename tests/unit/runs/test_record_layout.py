"""Values of result.json and job.json are of the types that they should be, or not used."""

import json
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.runs.record_layout import FIELDS, record_problem
from mnist_trainer.runs.result import read_result

SCORE = {"accuracy": 0.5, "correct": 5, "images": 10, "loss": 1.0}
GOOD = {
    "status": "completed",
    "test": SCORE,
    "validation": None,
    "best": {"epoch": 1},
    "epochs": 2,
    "stopped_early": False,
    "seconds": {"total": 1.5},
    "settings": {"seed": 1},
    "resumed_from": None,
}


def test_a_result_is_taken() -> None:
    assert record_problem(GOOD) is None


@pytest.mark.parametrize("value", [[], -1, 0.5, 2**70, {"a": []}])
@pytest.mark.parametrize("key", FIELDS)
def test_a_value_of_another_type_is_named(key: str, value: Any) -> None:
    if FIELDS[key][0](value):
        assert key in ("pid", "jobs")
    else:
        assert str(record_problem({**GOOD, key: value})).startswith(f"{key} is not")


@pytest.mark.parametrize(
    "change", [{"accuracy": 0.7}, {"accuracy": None}, {"correct": 11}, {"images": 0}, {"loss": "x"}]
)
def test_scores_agree(change: dict[str, Any]) -> None:
    assert record_problem({**GOOD, "test": {**SCORE, **change}})


def test_what_is_not_used_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "result.json"
    assert read_result(path) is None
    assert caplog.text == ""
    path.write_text(json.dumps({**GOOD, "epochs": "many"}))
    assert read_result(path) is None
    assert "epochs is not a whole number from 0" in caplog.text
