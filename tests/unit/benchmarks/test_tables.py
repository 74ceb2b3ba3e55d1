"""Tables follow from the results alone, and the README around them stays as it is."""

import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks.results import Case, Report, read_reports, write_report
from benchmarks.tables import TableError, cell, fill, main, number, render

ENVIRONMENT = {
    "python": "3.11.7",
    "packages": {"torch": "2.14.1"},
    "device": {"name": "A processor, 2 threads"},
    "git_revision": "0123456789abcdef",
}
README = "# Title\n\nBefore.\n<!-- bench:speed:start -->\nold\n<!-- bench:speed:end -->\nAfter.\n"


def report(name: str = "speed", slow: tuple[float, ...] = (4.0, 6.0, 8.0)) -> dict[str, Any]:
    fast = tuple(value / 2 for value in slow)
    accuracies = {"slow": (0.97, 0.99), "fast": (0.99, 0.99)}
    cases = [
        Case("time", "seconds", {"slow": slow, "fast": fast}, [("slow", "fast")]),
        Case("accuracy", "accuracy", accuracies),
    ]
    return Report(name, "How it was done.", cases, {"rounds": len(slow)}).as_json(ENVIRONMENT)


def test_a_table_has_a_row_for_each_way_and_ratio_and_a_column_for_each_case() -> None:
    lines = [line for line in render(report()).splitlines() if line.startswith("|")]
    assert [line.count("|") for line in lines] == [4] * 5
    assert [line.split("|")[1].strip() for line in lines] == [
        "",
        "---",
        "slow",
        "fast",
        "slow / fast",
    ]
    assert lines[2] == "| slow | 6.00 s (4.00 to 8.00) | 98.00 ± 1.41 % |"
    assert lines[4] == "| slow / fast | **2.00** (2.00 to 2.00) |  |"


def test_a_table_says_how_and_on_what_it_was_measured() -> None:
    text = render(report())
    for part in (
        "How it was done.",
        "A processor, 2 threads",
        "torch 2.14.1",
        "revision 0123456",
        report()["date"],
    ):
        assert part in text


def test_a_table_without_revision_names_none() -> None:
    assert "revision" not in render(
        {**report(), "environment": {**ENVIRONMENT, "git_revision": None}}
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "0.03"),
        (1.0, "1.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),
        (42.04, "42.0"),
        (99.96, "100"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_are_rounded_to_what_counts(value: float, text: str) -> None:
    assert number(value) == text


def test_one_run_shows_no_spread() -> None:
    assert cell({"mean": 0.995, "sd": 0.0, "values": [0.995]}, "accuracy") == "99.50 %"


def test_filling_changes_only_what_is_between_the_markers() -> None:
    filled = fill(README, {"speed": report()})
    assert filled.startswith("# Title\n\nBefore.\n<!-- bench:speed:start -->\n|")
    assert filled.endswith("\n<!-- bench:speed:end -->\nAfter.\n")
    assert "old" not in filled


def test_filling_twice_is_filling_once() -> None:
    filled = fill(README, {"speed": report()})
    assert fill(filled, {"speed": report()}) == filled


def test_each_table_comes_from_its_own_results() -> None:
    text = README + README.replace("speed", "start")
    filled = fill(text, {"speed": report(), "start": report("start", (40.0, 60.0, 80.0))})
    medians = re.findall(r"\| slow \| ([\d.]+) s", filled)
    assert medians == ["6.00", "60.0"]


def test_text_without_markers_stays_as_it_is() -> None:
    assert fill("nothing here", {"speed": report()}) == "nothing here"


def test_a_table_of_unknown_results_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TableError, match=r"bench:speed: .* there are: other"):
        fill(README, {"other": report()})


@pytest.mark.parametrize("lonely", ["<!-- bench:speed:start -->\n", "<!-- bench:speed:end -->\n"])
def test_a_marker_without_its_counterpart_is_refused(lonely: str) -> None:
    with pytest.raises(TableError, match="must follow"):
        fill(lonely + "text", {"speed": report()})
    with pytest.raises(TableError, match="must follow"):
        fill(README + lonely, {"speed": report()})


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_report(report(), tmp_path / "new")
    write_report(report("other"), tmp_path / "new")
    assert read_reports(tmp_path / "new") == {"speed": report(), "other": report("other")}


def test_checking_fails_while_the_file_is_stale_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, results = tmp_path / "README.md", tmp_path / "results"
    file.write_text(README)
    write_report(report(), results)
    words = ["--file", str(file), "--results", str(results)]
    assert main([*words, "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert file.read_text() == README
    assert main(words) == 0
    assert main([*words, "--check"]) == 0
    write_report(report(slow=(5.0, 5.0, 5.0)), results)
    assert main([*words, "--check"]) == 1


def test_a_wrong_marker_ends_in_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "README.md"
    file.write_text(README)
    assert main(["--file", str(file), "--results", str(tmp_path)]) == 1
    assert "no such results; there are: none" in capsys.readouterr().err
