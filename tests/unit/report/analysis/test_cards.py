"""Cards of several recipes: grouped by configuration, with intervals over seeds."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import t as student

from mnist_trainer.report.analysis.cards import CardComparison, compare_cards
from mnist_trainer.report.analysis.groups import group_runs
from mnist_trainer.report.analysis.statistics import mean_interval
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.render.card_comparison import card_blocks
from mnist_trainer.report.render.data import runs_json
from mnist_trainer.report.render.document import Paragraph, Table
from tests.unit.report.cards import card
from tests.unit.report.conftest import MakeRun

RATES = (0.1, 0.2)
CLEAN = ("clean", "test images")
WithCards = Callable[..., list[Path]]


@pytest.fixture
def runs(make_run: MakeRun) -> list[Path]:
    """Two rates, three seeds; the cards of the second rate are of 80, 82 and 84 right."""
    made = []
    for lr in RATES:
        for seed in range(3):
            name = f"r{lr}-{seed}"
            folder = make_run(name, seed=seed, settings={"optimizer.lr": lr})
            right = 95 if lr == RATES[0] else 80 + 2 * seed
            values = card(f"{name}-{seed}", right)
            (folder / "evaluation-card.json").write_text(json.dumps(values))
            made.append(folder)
    return made


def compared(runs: list[Path]) -> CardComparison:
    found = compare_cards(group_runs([read_run(folder) for folder in runs]))
    assert found is not None
    return found


def test_recipes_beside_each_other(runs: list[Path]) -> None:
    found = compared(runs)
    assert [len(recipe.runs) for recipe in found.recipes] == [3, 3]
    by_name = {recipe.name: recipe.measures[CLEAN] for recipe in found.recipes}
    second = by_name["lr=0.2"]
    assert sorted(second.values) == [0.80, 0.82, 0.84]
    half = student.ppf(0.975, 2) * 0.02 / math.sqrt(3)
    assert second.interval == pytest.approx((0.82 - half, 0.82 + half))
    # Equal scores of three seeds: one image in 100 counts as the standard deviation.
    half = student.ppf(0.975, 2) * 0.01 / math.sqrt(3)
    assert by_name["lr=0.1"].interval == pytest.approx((0.95 - half, 0.95 + half))
    assert found.notes == ()


def test_the_table_the_json_and_the_cards_agree(runs: list[Path]) -> None:
    records = [read_run(folder) for folder in runs]
    (table, *notes) = card_blocks(group_runs(records))
    assert isinstance(table, Table)
    assert not notes
    assert {"lr=0.1 (n = 3)", "lr=0.2 (n = 3)"} < set(table.columns)
    row = next(row for row in table.rows if row[:2] == CLEAN)
    assert row[table.columns.index("lr=0.2 (n = 3)")].startswith("82.00 ± ")
    values = {each["recipe"]: each for each in json.loads(runs_json(records))["cards"]}
    measures = {(each["part"], each["name"]): each for each in values["lr=0.2"]["measures"]}
    assert measures[CLEAN]["mean"] == pytest.approx(0.82)
    assert measures[CLEAN]["n"] == 3
    # AUROCs are no shares of images: equal ones have no spread.
    low, high = measures["AUROC", "errors"]["interval_95"]
    assert low == high == pytest.approx(0.97)


def test_what_cannot_be_compared_is_said(runs: list[Path]) -> None:
    path = runs[0] / "evaluation-card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "effort": "full"}))
    (runs[1] / "evaluation-card.json").unlink()
    other = {**card("other weights")}
    (runs[2] / "evaluation-card.json").write_text(json.dumps(other))
    found = compared(runs)
    assert sorted(len(recipe.runs) for recipe in found.recipes) == [1, 3]
    assert any("quick and some are full" in note for note in found.notes)
    assert any("2 of 6" in note for note in found.notes)
    single = next(recipe for recipe in found.recipes if len(recipe.runs) == 1)
    assert single.measures[CLEAN].interval is None
    texts = [each.text for each in card_blocks(group_runs([read_run(folder) for folder in runs]))
             if isinstance(each, Paragraph)]  # fmt: skip
    assert texts == list(found.notes)


def test_without_cards_there_is_nothing(make_run: MakeRun) -> None:
    groups = group_runs([read_run(make_run("a")), read_run(make_run("b", seed=1))])
    assert compare_cards(groups) is None
    assert card_blocks(groups) == []


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = [0.9, 0.95, 0.93, 0.97]
    mean, error = sum(values) / 4, math.sqrt(sum((v - 0.9375) ** 2 for v in values) / 3) / 2
    expected = student.interval(0.95, 3, mean, error)
    assert mean_interval(values, 1e-4) == pytest.approx(expected)
    with pytest.raises(ValueError, match="two values"):
        mean_interval([0.9], 1e-4)
