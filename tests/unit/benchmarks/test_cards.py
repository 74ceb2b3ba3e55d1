"""The table of docs/robustness.md is made of the files of cards."""

import json

import pytest
from benchmarks.cards import main, table

from tests.unit.report.cards import card
from tests.unit.report.conftest import MakeRun, make_run

__all__ = ["make_run"]


def test_a_table_of_two_recipes(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    folders = []
    for model, correct in (("cnn", 95), ("fcn", 80)):
        folder = make_run(model, settings={"model": model})
        (folder / "evaluation-card.json").write_text(json.dumps(card(f"{model}-0", correct)))
        folders.append(str(folder))
    assert main(folders) == 0
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if line.startswith("| part"))
    assert "cnn (n = 1)" in head
    assert "fcn (n = 1)" in head
    row = next(line for line in lines if line.startswith("| clean | test images"))
    assert "95.00" in row
    assert "80.00" in row


def test_without_a_card_there_is_no_table(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(make_run("one"))
    assert table([folder]) is None
    assert main([folder]) == 1
    assert "mnist-eval RUN --card" in capsys.readouterr().err
