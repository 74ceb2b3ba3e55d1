"""The report of a difference: only what differs, short, escaped, and whole in JSON."""

import csv
import io
import json
import re
from typing import Any

import pytest

from mnist_trainer.report.analysis.comparison import compare
from mnist_trainer.report.render.difference_data import difference_csv, difference_json
from mnist_trainer.report.render.difference_document import (
    LONGEST,
    MOST_ROWS,
    difference_document,
    difference_section,
)
from mnist_trainer.report.render.document import (
    Block,
    Document,
    Listing,
    Paragraph,
    Picture,
    Table,
)
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.outputs import show_comparison, show_difference, show_runs
from tests.unit.report.conftest import ENVIRONMENT, Pair

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def blocks_of(document: Document, title: str) -> tuple[Block, ...]:
    return next(section.blocks for section in document.sections if section.title == title)


def row_of(block: Block, name: str) -> tuple[str, ...]:
    assert isinstance(block, Table)
    return next(row for row in block.rows if row[0] == name)


def test_parts_that_are_equal_are_one_line_each(pair: Pair) -> None:
    document = difference_document(pair())
    assert document.subtitle == "differences: same bits"
    for title in ("Settings", "Environment", "Code", "Results"):
        (block,) = blocks_of(document, title)
        assert isinstance(block, Paragraph)


def test_values_of_both_runs_stand_beside_each_other(pair: Pair) -> None:
    found = pair(
        ([0.5, 0.25], [0.5, 0.26]), settings={"optimizer.lr": 0.2, "data.root": "x"}, weights="v"
    )
    document = difference_document(found)
    settings, aside = blocks_of(document, "Settings")
    assert row_of(settings, "optimizer.lr") == ("optimizer.lr", "0.1", "0.2")
    assert row_of(aside, "data.root") == ("data.root", "none", "x")
    parting, picture, scores = blocks_of(document, "Results")
    assert isinstance(picture, Picture)
    assert "largest is 0.01 at step 2" in picture.alt
    assert row_of(parting, "training loss at step 2")[1:] == ("0.25", "0.26")
    hexadecimal = row_of(parting, "the same, in hexadecimal")[1:]
    assert [float.fromhex(text) for text in hexadecimal] == [0.25, 0.26]
    assert row_of(scores, "weights SHA-256")[1:3] == ("w", "v")


def test_scores_show_their_difference_however_small(pair: Pair) -> None:
    found = pair(test=0.9, settings={"optimizer.lr": 0.2})
    assert "test accuracy" not in markdown(difference_document(found))
    found = pair(names="cd", test=0.9004)
    row = row_of(blocks_of(difference_document(found), "Results")[0], "test accuracy")
    assert row[1:] == ("90.00 %", "90.04 %", "+0.04 points")
    found = pair(names="ef", test=0.90001)
    row = row_of(blocks_of(difference_document(found), "Results")[0], "test accuracy")
    assert row[1:] == ("90.00000 %", "90.00100 %", "+0.00100 points")


def test_long_lists_are_short_on_the_page_and_whole_in_json(pair: Pair) -> None:
    installed = {f"package-{number}": "1" for number in range(2 * MOST_ROWS)}
    installed |= ENVIRONMENT["packages"]
    found = pair(environment={**ENVIRONMENT, "installed": installed})
    (table,) = blocks_of(difference_document(found), "Environment")
    assert isinstance(table, Table)
    assert len(table.rows) == MOST_ROWS
    # pyyaml is gone, too.
    assert table.note == f"... and {MOST_ROWS + 1} more, with --json"
    assert len(json.loads(difference_json(found))["environment"]) == 2 * MOST_ROWS + 1


def test_long_values_are_shown_where_they_differ(pair: Pair) -> None:
    long = "x" * 150
    variables = {"OMP_NUM_THREADS": long + "one"}
    found = pair(environment={**ENVIRONMENT, "variables": variables})
    (table,) = blocks_of(difference_document(found), "Environment")
    assert row_of(table, "variables.OMP_NUM_THREADS")[1] == "2"
    assert len(row_of(table, "variables.OMP_NUM_THREADS")[2]) <= LONGEST + 2
    found = pair(
        names="cd",
        of_both={**ENVIRONMENT, "variables": variables},
        environment={**ENVIRONMENT, "variables": {"OMP_NUM_THREADS": long + "two"}},
    )
    (table,) = blocks_of(difference_document(found), "Environment")
    assert [text[-3:] for text in row_of(table, "variables.OMP_NUM_THREADS")[1:]] == ["one", "two"]


def test_very_long_names_are_cut_everywhere_but_in_json(pair: Pair) -> None:
    long = "k" * 5000
    files = {"code.patch": f"diff --git a/{long} b/{long}\n+x"}
    found = pair(environment={**ENVIRONMENT, "variables": {long: "1"}}, files=files)
    for text in (page(difference_document(found)), markdown(difference_document(found))):
        assert "k" * 50 in text
        assert len(text) < 30_000
    assert long in difference_json(found)


def test_what_folders_hold_is_escaped(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    found = pair(
        ([0.5], [float("nan")]),
        environment={**ENVIRONMENT, "variables": {HOSTILE: HOSTILE}, "python": HOSTILE},
        settings={"optimizer.lr": HOSTILE, "data.root": HOSTILE},
        files={
            "code.patch": f"diff --git a/{HOSTILE} b/{HOSTILE}\n+{HOSTILE}",
            "config_files/=cmd.yaml": HOSTILE,
        },
    )
    show_difference(found, {})
    texts = [page(difference_document(found)), markdown(difference_document(found))]
    texts += [capsys.readouterr().out, difference_csv(found)]
    assert all("\x1b" not in text for text in texts)
    assert "<script>alert" not in texts[0]
    assert "<svg" not in texts[0]  # NaN is no distance.
    assert "&lt;script&gt;alert" in texts[0]
    read = json.loads(difference_json(found))
    assert read["settings"][0]["b"] == HOSTILE
    assert read["results"]["curves"]["hexadecimal"] == [(0.5).hex(), "nan"]


def test_csv_has_a_row_for_each_difference(pair: Pair) -> None:
    rows = list(csv.reader(io.StringIO(difference_csv(pair()))))
    assert rows == [["part", "key", "a", "b"]]
    found = pair(
        ([0.5], [0.75]),
        names="cd",
        settings={"optimizer.lr": 0.2},
        files={"config_files/mine.yaml": "x: 1"},
    )
    rows = list(csv.reader(io.StringIO(difference_csv(found))))
    assert rows[1:] == [
        ["settings", "optimizer.lr", "0.1", "0.2"],
        ["code", "config_files/mine.yaml", "", "different"],
        ["results", "curves part at step", "1", "1"],
        ["results", "curves at step 1", (0.5).hex(), (0.75).hex()],
    ]


def test_json_has_what_yaml_has_and_json_lacks_as_text(pair: Pair) -> None:
    found = pair(settings={"optimizer.lr": float("nan"), "optimizer.betas": [float("inf"), 1]})
    read = json.loads(difference_json(found))
    assert [each["b"] for each in read["settings"]] == ["nan", ["inf", 1]]


def test_lines_of_a_patch_are_in_a_listing(pair: Pair) -> None:
    patch = "diff --git a/src/x.py b/src/x.py\n-old\n+new"
    found = pair(files={"code.patch": patch})
    listing = blocks_of(difference_document(found), "Code")[1]
    assert listing == Listing("code.patch: src/x.py, only in B", patch, "diff")
    assert f"```diff\n{patch}\n```" in markdown(difference_document(found))


def test_the_page_of_two_runs_has_the_differences(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    found = pair(([0.5], [0.75]), settings={"optimizer.lr": 0.2}, weights="v")
    section = difference_section(found)
    assert isinstance(section.blocks[0], Paragraph)
    show_runs([found.a, found.b], ["a", "b"], {"html": "-"})
    assert re.search(r"<h2 id=.*>Differences</h2>", capsys.readouterr().out)
    show_runs([found.a, found.b], ["a", "b"], {})
    assert "Differences" not in capsys.readouterr().out
    show_comparison(compare([found.a], [found.b], ("a", "b")), {"html": "-"})
    assert section.blocks[0].text in capsys.readouterr().out
    third = pair(names="cd").a
    show_runs([found.a, found.b, third], ["."], {"html": "-"})
    assert "Differences</h2>" not in capsys.readouterr().out


def test_values_of_any_type_are_shown(pair: Pair) -> None:
    values: dict[str, Any] = {key: [{"x": [None, {}]}, "text"] for key in ENVIRONMENT}
    found = pair(environment=values)
    assert "Environment" in markdown(difference_document(found))
    json.loads(difference_json(found))
