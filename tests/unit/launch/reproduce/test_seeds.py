"""The spread of a recipe over seeds."""

import random
from pathlib import Path

import pytest

from mnist_trainer.launch.reproduce.outcome import read_outcome
from mnist_trainer.launch.reproduce.seeds import CONFIDENCE, compare_with_seeds, other_seeds
from mnist_trainer.runs.folder import RunFolder
from tests.unit.launch.reproduce.test_verdict import run


def test_a_further_seed_is_outside_as_often_as_promised() -> None:
    draw = random.Random(0)  # noqa: S311
    outside, rounds = 0, 1500
    for _ in range(rounds):
        runs = [run(draw.gauss(0.97, 0.002), draw.gauss(0.1, 0.01)) for _ in range(5)]
        outside += any(not test.fits for test in compare_with_seeds(runs[0], runs[1:]))
    # Three numbers, two of them the same: not more often than one in a hundred, by four errors.
    allowed = rounds * (1 - CONFIDENCE)
    assert outside <= allowed + 4 * allowed**0.5


def test_seeds_that_all_agree_have_the_resolution_of_an_image() -> None:
    runs = [run(accuracy=0.97, loss=0.1, seed=seed) for seed in range(3)]
    one_image, many = run(accuracy=0.9701), run(accuracy=0.98)
    accuracy = [compare_with_seeds(again, runs)[0] for again in (one_image, many)]
    assert [test.fits for test in accuracy] == [True, False]


def test_limits_are_those_that_an_accuracy_and_a_loss_have() -> None:
    runs = [run(accuracy, loss) for accuracy, loss in ((0.2, 0.1), (0.99, 3.0), (0.6, 1.0))]
    tests = {test.name: test for test in compare_with_seeds(runs[0], runs)}
    assert (tests["test accuracy"].low, tests["test accuracy"].high) == (0, 1)
    assert tests["test loss"].low == 0


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Jobs of a sweep: seeds 0 to 2 of one recipe, another recipe, one that has not ended."""
    jobs = {"0": (0, 0.1), "1": (1, 0.1), "2": (2, 0.1), "3": (3, 0.2), "4": (4, 0.1)}
    for name, (seed, rate) in jobs.items():
        folder = tmp_path / name
        folder.mkdir()
        text = f"seed: {seed}\nname: n{name}\noptimizer:\n  lr: {rate}\n"
        (folder / "config.yaml").write_text(text)
        if name != "4":
            (folder / "result.json").write_text('{"status": "completed", "steps": 3}')
    return tmp_path


def test_runs_beside_it_that_differ_in_the_seed_alone_count(sweep: Path) -> None:
    found = other_seeds(read_outcome(RunFolder(sweep / "0")))
    assert sorted(each.folder.path.name for each in found) == ["1", "2"]
