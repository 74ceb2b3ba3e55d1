"""The step at which curves part: by the trails, else by the records of metrics.jsonl."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mnist_trainer.report.analysis.curves import MAX_POINTS, Curves, _of_trails, compare_curves
from mnist_trainer.report.read.records import read_run
from mnist_trainer.runs.trail import Trail
from tests.unit.report.conftest import MakeRun

LOSSES = {1: 2.0, 2: 1.5, 3: 1.25}
TRAIL = Trail(LOSSES, {1: 7, 2: 8, 3: 9})
Edited = Callable[..., Curves | None]


@pytest.fixture
def edited(make_run: MakeRun) -> Edited:
    """Compare two equal runs after a change to the records of the second."""
    paths = [make_run(name) for name in "ab"]

    def compared(
        change: Callable[[list[dict[str, Any]]], None], trail: Trail | None = None
    ) -> Curves | None:
        lines = [json.loads(line) for line in (paths[0] / "metrics.jsonl").read_text().splitlines()]
        change(lines)
        (paths[1] / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))
        return compare_curves(read_run(paths[0]), read_run(paths[1]), (TRAIL, trail))

    return compared


def test_trails_tell_the_step_and_the_bits(edited: Edited) -> None:
    same = edited(list.clear, TRAIL)
    assert same == Curves("trail.bin", (3, 3), 3)
    parted = edited(list.clear, Trail({**LOSSES, 3: 1.3}, TRAIL.digests))
    assert parted == Curves("trail.bin", (3, 3), 2, 3, "training loss", 3, (1.25, 1.3))


def test_distances_are_bounded_and_keep_the_largest(edited: Edited) -> None:
    steps = range(1, 4 * MAX_POINTS)
    a = Trail(dict.fromkeys(steps, 1.0), {})
    b = Trail({step: 1.0 + (step == 777) + (step > 900) / 8 for step in steps}, {})
    found = _of_trails(a, b)
    assert len(found.distances) <= MAX_POINTS
    assert (777, 1.0) in found.distances
    assert {step for step, _ in found.distances if step <= 900} == {777}
    odd = {1: float("nan"), 2: float("inf"), 3: 1e-40, 4: -1e308, 5: 1.5}
    found = _of_trails(Trail(dict.fromkeys(odd, 0.0), {}), Trail(odd, {}))
    assert found.distances == ((5, 1.5),)
    parted = edited(list.clear, Trail({**LOSSES, 3: 1.5}, {}))
    assert parted is not None
    assert parted.distances == ((3, 0.25),)


def test_weights_part_before_the_loss_does(edited: Edited) -> None:
    other = Trail({**LOSSES, 3: 1.3}, {1: 7, 2: 99, 3: 98})
    expected = Curves("trail.bin", (3, 3), 1, 2, "weights", 3, (1.25, 1.3), (8, 99))
    assert edited(list.clear, other) == expected
    # Nothing shows in any loss: there is no value to name.
    expected = Curves("trail.bin", (3, 3), 2, 3, "weights", None, None, (9, 10))
    assert edited(list.clear, Trail(LOSSES, {1: 7, 2: 8, 3: 10})) == expected


def test_a_shorter_run_is_the_same_so_far(edited: Edited) -> None:
    short = Trail({1: 2.0, 2: 1.5}, {1: 7})
    assert edited(list.clear, short) == Curves("trail.bin", (3, 2), 2)


def test_without_a_trail_the_first_record_that_differs_is_named(edited: Edited) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        # Epoch 2 ends at step 20: its interval (step 15) stays as it was.
        for line in lines:
            if line["step"] >= 20 and line["split"] == "train":
                line["loss"] += 0.5

    assert edited(change) == Curves(
        "metrics.jsonl", (30, 30), 15, 20, "training loss", 20, (0.6, 1.1)
    )


def test_clock_and_other_splits_are_not_curves(edited: Edited) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            line["images_per_second"] = 7.0
            line["loss"] += line["split"] != "train"

    assert edited(change) == Curves("metrics.jsonl", (30, 30), 30)


def test_intervals_of_another_length_are_not_compared(make_run: MakeRun) -> None:
    runs = [make_run(name, settings={"trainer.log_every": every}) for name, every in ("a5", "b7")]
    path = runs[1] / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["loss"] += line["kind"] == "interval"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = compare_curves(read_run(runs[0]), read_run(runs[1]), (None, None))
    assert found == Curves("metrics.jsonl", (30, 30), 30)


def test_of_a_run_without_records_nothing_is_known(edited: Edited, tmp_path: Path) -> None:
    assert edited(list.clear) is None
    assert edited(list.clear, Trail({}, {})) is None
