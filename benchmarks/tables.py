"""Tables of results, as Markdown between markers in docs/speed.md.

    python -m benchmarks.tables            write them
    python -m benchmarks.tables --check    fail where they are not what the results say

A table for the results NAME stands between ``<!-- bench:NAME:start -->`` and ``<!-- bench:NAME:end
-->``.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import RESULTS, read_reports

PAGE = Path(__file__).parents[1] / "docs" / "speed.md"
BLOCK = re.compile(r"(<!-- bench:(\w+):start -->)(.*?)(<!-- bench:\2:end -->)", re.DOTALL)
MARKER = re.compile(r"<!-- bench:(\w+):(?:start|end) -->")


class TableError(Exception):
    """The page asks for what there is not; the message says for what."""


def number(value: float) -> str:
    """Three digits that count, never fewer than the ones."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def cell(summary: Mapping[str, Any], unit: str) -> str:
    """A way's values in short."""
    if unit == "accuracy":
        spread = f" ± {100 * summary['sd']:.2f}" if len(summary["values"]) > 1 else ""
        return f"{100 * summary['mean']:.2f}{spread} %"
    return f"{number(summary['median'])} s ({number(summary['min'])} to {number(summary['max'])})"


def ratio_cell(summary: Mapping[str, Any]) -> str:
    return f"**{number(summary['median'])}** ({number(summary['min'])} to {number(summary['max'])})"


def row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def render(report: Mapping[str, Any]) -> str:
    """A report as a table, one way a row and one case a column, then the ratios, then how it was
    measured."""
    cases = report["cases"]
    ways = list(dict.fromkeys(way for case in cases for way in case["ways"]))
    ratios = list(dict.fromkeys(ratio for case in cases for ratio in case["ratios"]))
    lines = [row(["", *(case["name"] for case in cases)]), row(["---"] * (len(cases) + 1))]
    for way in ways:
        lines.append(
            row(
                [
                    way,
                    *(
                        cell(case["ways"][way], case["unit"]) if way in case["ways"] else ""
                        for case in cases
                    ),
                ]
            )
        )
    for ratio in ratios:
        lines.append(
            row(
                [
                    ratio,
                    *(
                        ratio_cell(case["ratios"][ratio]) if ratio in case["ratios"] else ""
                        for case in cases
                    ),
                ]
            )
        )
    return "\n".join([*lines, "", *note(report)])


def note(report: Mapping[str, Any]) -> list[str]:
    """How and on what it was measured."""
    environment = report["environment"]
    packages = environment["packages"]
    revision = environment["git_revision"]
    where = [
        f"{environment['device']['name']}",
        f"torch {packages['torch']}",
        f"Python {environment['python']}",
        report["date"],
        *(
            [f"revision {revision[:7]}{'+changes' if revision.endswith('+changes') else ''}"]
            if revision
            else []
        ),
    ]
    compared = "Median (smallest to largest); a ratio is taken within each round."
    return [f"{report['method']} {compared}", f"*{', '.join(where)}.*"]


def fill(text: str, reports: Mapping[str, Mapping[str, Any]]) -> str:
    """The text with every table between markers made anew; all else stays as it is.

    Raises:
        TableError: a marker without its counterpart, or a table of results that do not exist.
    """
    found = [match.group(2) for match in BLOCK.finditer(text)]
    markers = MARKER.findall(text)
    if lonely := [name for name in markers if markers.count(name) != 2 * found.count(name)]:
        raise TableError(
            f"bench:{lonely[0]}: a marker of start and one of end must follow each other."
        )
    if unknown := [name for name in found if name not in reports]:
        raise TableError(
            f"bench:{unknown[0]}: there are no such results; there are:"
            f" {', '.join(reports) or 'none'}."
        )
    return BLOCK.sub(
        lambda match: f"{match.group(1)}\n{render(reports[match.group(2)])}\n{match.group(4)}", text
    )


def main(words: Sequence[str]) -> int:
    """Exit code: 0 where the tables are, or now are, what the results say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables", description="Write the tables of results into a file."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail where a table is not what the results say",
    )
    parser.add_argument(
        "--file", type=Path, default=PAGE, help="the Markdown file (default: docs/speed.md)"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="folder of the results (default: benchmarks/results)",
    )
    arguments = parser.parse_args(words)
    text = arguments.file.read_text(encoding="utf-8")
    try:
        filled = fill(text, read_reports(arguments.results))
    except TableError as error:
        print(f"{arguments.file.name}: {error}", file=sys.stderr)
        return 1
    if filled == text:
        return 0
    if arguments.check:
        print(
            f"{arguments.file.name} is stale. Write the tables anew: python -m benchmarks.tables",
            file=sys.stderr,
        )
        return 1
    arguments.file.write_text(filled, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
