"""The table on the terminal and the figure, of tests with any outcome."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.find_lr import read_find_lr
from mnist_trainer.launch.find_lr.describe import describe
from mnist_trainer.launch.find_lr.files import rate_step
from mnist_trainer.launch.find_lr.show import show_test
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.lr_range_plots import draw_rates
from mnist_trainer.report.render.raster import pixels
from mnist_trainer.training.lr_range_test.named_rates import judge_points, name_rates
from mnist_trainer.training.lr_range_test.search import Cost, RangeTest
from mnist_trainer.training.lr_range_test.short_runs import ShortRun
from tests.conftest import Compose

RATES = (0.001, 0.01, 0.1, 1.0)
SETTINGS = read_find_lr(["find_lr.steps=8", "find_lr.resamples=100"])
OUTCOMES = {
    "some diverge": ((2.0, 1.0, 1.2, math.inf), (2.0, 1.1, math.inf, math.inf)),
    "all learn": ((1.9, 1.0, 0.9, 0.8), (1.9, 1.1, 1.0, 0.7)),
    "far above": ((1.9, 1.0, 1e12, math.inf), (1.9, 1.1, 1e9, 1e12)),
    "no loss at all": ((1.9, 1.0, 0.0, 2.0), (1.9, 1.1, 0.0, 2.0)),
}


def content_of(compose: Compose, ends: tuple[tuple[float, ...], ...]) -> dict[str, Any]:
    """The content of a test whose runs end at these losses, by seed."""
    runs = tuple(
        ShortRun(rate, seed, (2.3,) + 7 * (0.0 if math.isinf(end) else end,), math.isinf(end))
        for seed, losses in enumerate(ends)
        for rate, end in zip(RATES, losses, strict=True)
    )
    points, start = judge_points(runs, SETTINGS)
    test = RangeTest(runs[:4], runs, tuple(points), start, name_rates(points, SETTINGS, 0))
    config = compose("device=cpu")
    described = describe(test, SETTINGS, config, select_device(config.device), Cost(8, 64, 1.0))
    return {**described, "command": "mnist-train optimizer.lr=0.01"}


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_table_fits(
    compose: Compose,
    outcome: str,
    columns: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = content_of(compose, OUTCOMES[outcome])
    monkeypatch.setattr("mnist_trainer.launch.find_lr.show.WIDTH_IN_A_FILE", columns)
    show_test(content, Path("folder"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    table = lines[lines.index(next(line for line in lines if "± sd" in line)) + 1 :]
    assert [line.split()[0] for line in table[: len(RATES)]] == [f"{rate:.3g}" for rate in RATES]
    assert "recommended" in "\n".join(lines)
    assert lines[-1] == "train:  mnist-train optimizer.lr=0.01"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_figure_is_drawn(compose: Compose, outcome: str) -> None:
    content = content_of(compose, OUTCOMES[outcome])
    picture = pixels(lambda figure: draw_rates(JsonValues(content), figure))
    assert np.unique(picture).size > 10


def test_what_was_not_tried_is_said(compose: Compose, capsys: pytest.CaptureFixture[str]) -> None:
    for outcome, expected in (("all learn", True), ("some diverge", False)):
        show_test(content_of(compose, OUTCOMES[outcome]), Path("folder"))
        assert ("higher rates were not tried" in capsys.readouterr().out) == expected


def test_steps_are_a_logarithmic_grid() -> None:
    steps = [rate_step(rate) for rate in (1e-12, 1e-3, 1e-2, 0.1, 1.0, 10.0)]
    assert steps == [0, 700, 800, 900, 1000, 1100]
