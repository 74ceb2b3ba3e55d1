"""Parts that fail, and parts that are interrupted."""

import signal
from typing import Any

import pytest

from mnist_trainer.compute.passport.moods import Moods
from mnist_trainer.errors import InterruptedRunError, MachineError
from mnist_trainer.launch.passport.measure import measure_parts, roofs


def fails() -> None:
    raise RuntimeError("not implemented for this device")


def test_a_part_that_fails_is_recorded_and_the_others_are_made() -> None:
    passport: dict[str, Any] = {"quick": True}
    made, told = list[str](), list[tuple[str, int]]()
    moods = Moods()
    parts = {"first": fails, "second": lambda: made.append("second")}
    measure_parts(parts, passport, moods, lambda *step: told.append(step))
    assert passport["failed"] == [{"part": "first", "error": "not implemented for this device"}]
    assert made == ["second"]
    assert told == [("first", 2), ("second", 2)]
    assert len(moods.samples) == 8


def test_an_interrupted_run_ends_the_passport() -> None:
    def interrupted() -> None:
        raise InterruptedRunError("asked to stop: resume=folder", signal.SIGINT)

    with pytest.raises(InterruptedRunError, match=r"^stopped: nothing is written\.$"):
        measure_parts({"run": interrupted}, {"quick": True}, Moods(), lambda *_: None)


def test_no_roofline_without_a_speed() -> None:
    with pytest.raises(MachineError, match="no roofline"):
        roofs({"scaling": []})
    scaling = [{"gflops": 10.0, "copy": 3.0, "triad": 2.0}, {"gflops": 20.0, "copy": 1, "triad": 4}]
    low = [{"device": "cpu", "precision": "bf16", "gflops": 80.0, "fp32_gflops": 25.0}]
    found = roofs({"scaling": scaling, "low_precision": low})
    assert found == {"fp32": 25.0, "bf16": 80.0, "memory": 4}
