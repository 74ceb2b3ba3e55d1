"""Pictures of results: ``python -m benchmarks.pictures``, into docs/figures/. Needs matplotlib.

They are cards with a background of their own, so that they read alike on light and on dark pages.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.loops import BARE, PRODUCT, TUTORIAL
from benchmarks.recipes import PUBLISHED
from benchmarks.results import RESULTS, read_reports

FIGURES = Path(__file__).parents[1] / "docs" / "figures"

CARD, INK, FAINT, GRID = "#f6f7f9", "#20262e", "#5d6773", "#d9dee5"
ACCENT, LIMIT, REFERENCE = "#2463b4", "#9fb4cc", "#b4541f"
SIZE = 11
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
LOOPS = {"training": "training", "test_pass": "test pass"}

Reports = Mapping[str, Mapping[str, Any]]


def card(height: float, left: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """An empty picture, sizes in inches: a headline that says what is seen, the axes below it."""
    width = 8.6
    figure = Figure(figsize=(width, height), dpi=160, facecolor=CARD)
    figure.subplots_adjust(
        left=left / width, right=1 - 0.35 / width, top=1 - 1.0 / height, bottom=0.65 / height
    )
    axes = figure.add_subplot(facecolor=CARD)
    figure.text(
        0.3 / width, 1 - 0.45 / height, title, fontsize=SIZE + 4, fontweight="bold", color=INK
    )
    figure.text(0.3 / width, 1 - 0.75 / height, subtitle, fontsize=SIZE - 0.5, color=FAINT)
    axes.tick_params(colors=INK, labelsize=SIZE, length=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    return figure, axes


def draw_ratios(reports: Reports) -> Figure | None:
    """How many times faster than the tutorial loop; None without results."""
    cases = [
        (f"{case['name']}, {title}", case["ratios"])
        for name, title in LOOPS.items()
        for case in cases_of(reports, name)
    ]
    if not cases:
        return None
    machine = reports[next(name for name in LOOPS if name in reports)]["environment"]["device"][
        "name"
    ]
    figure, axes = card(
        2.0 + 0.75 * len(cases),
        1.55,
        "Times faster than the tutorial loop",
        f"median and range over rounds, {machine}",
    )
    longest = 0.0
    for offset, way, colour, label in (
        (-0.19, PRODUCT, ACCENT, PRODUCT),
        (0.19, BARE, LIMIT, f"{BARE}: the limit of eager PyTorch"),
    ):
        ratios = [ratios[f"{TUTORIAL} / {way}"] for _, ratios in cases]
        draw_bars(axes, [place + offset for place in range(len(cases))], ratios, colour, label)
        longest = max(longest, *(ratio["max"] for ratio in ratios))
    axes.axvline(1, color=REFERENCE, linewidth=1.6)
    axes.annotate(
        TUTORIAL,
        (1, -0.62),
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        color=REFERENCE,
        fontsize=SIZE - 1,
    )
    axes.set_yticks(range(len(cases)), [label for label, _ in cases])
    axes.set_ylim(len(cases) - 0.4, -0.8)
    axes.set_xlim(0, 1.12 * longest)
    axes.grid(axis="x", color=GRID)
    figure.legend(loc="lower center", ncols=2, frameon=False, labelcolor=INK, fontsize=SIZE - 1)
    return figure


def cases_of(reports: Reports, name: str) -> Sequence[Mapping[str, Any]]:
    """The cases of a report; none where there is no such report."""
    return reports[name]["cases"] if name in reports else []


def draw_bars(
    axes: Axes,
    places: Sequence[float],
    summaries: Sequence[Mapping[str, Any]],
    colour: str,
    label: str,
) -> None:
    """Bars from zero to each median, a whisker over its range, its value behind it."""
    medians = [summary["median"] for summary in summaries]
    low = [summary["median"] - summary["min"] for summary in summaries]
    high = [summary["max"] - summary["median"] for summary in summaries]
    axes.barh(places, medians, height=0.36, color=colour, label=label)
    axes.errorbar(
        medians, places, xerr=[low, high], fmt="none", ecolor=INK, elinewidth=1.1, capsize=3
    )
    for place, median, summary in zip(places, medians, summaries, strict=True):
        axes.annotate(
            f"{median:.1f}",
            (summary["max"], place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=INK,
            fontsize=SIZE - 1,
            fontweight="bold",
        )


def frontier_points(reports: Reports) -> dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Name of a recipe to its accuracy and its seconds of training and test, over all results that
    have both."""
    points: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for name in ("experiments", "quick"):
        if name in reports:
            cases = {case["name"]: case["ways"] for case in reports[name]["cases"]}
            points |= {
                way: (cases["accuracy"][way], cases["training and test"][way])
                for way in cases["accuracy"]
            }
    return points


def draw_frontier(reports: Reports) -> Figure | None:
    """Accuracy against time; None without results."""
    points = frontier_points(reports)
    if not points:
        return None
    machine = next(reports[name] for name in ("quick", "experiments") if name in reports)[
        "environment"
    ]["device"]["name"]
    subtitle = (
        f"test accuracy (mean ± sd over seeds) against seconds of training and test, {machine}"
    )
    figure, axes = card(5.0, 0.95, "How accurate in how long", subtitle)
    axes.set_xscale("log")
    for way, (accuracy, seconds) in points.items():
        draw_recipe(axes, way, accuracy, seconds)
    axes.set_xlabel("seconds (logarithmic)", color=FAINT, fontsize=SIZE)
    axes.set_ylabel("test accuracy (%)", color=FAINT, fontsize=SIZE)
    times = [seconds[key] for _, seconds in points.values() for key in ("min", "max")]
    # Room on the right for the last name.
    axes.set_xlim(min(times) / 1.6, max(times) * 2.6)
    axes.xaxis.set_major_locator(
        FixedLocator([tick for tick in TICKS if min(times) / 1.6 <= tick <= max(times) * 2.6])
    )
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.margins(y=0.15)
    axes.grid(color=GRID)
    return figure


def draw_recipe(
    axes: Axes, way: str, accuracy: Mapping[str, Any], seconds: Mapping[str, Any]
) -> None:
    """One point with its spread and its name."""
    place = (seconds["median"], 100 * accuracy["mean"])
    colour = REFERENCE if way == PUBLISHED else ACCENT
    axes.errorbar(
        *place,
        xerr=[[place[0] - seconds["min"]], [seconds["max"] - place[0]]],
        yerr=100 * accuracy["sd"],
        fmt="D" if way == PUBLISHED else "o",
        markersize=8,
        color=colour,
        elinewidth=1.2,
        capsize=3,
    )
    axes.annotate(
        way,
        place,
        xytext=(9, 9),
        textcoords="offset points",
        color=colour,
        fontsize=SIZE,
        fontweight="bold",
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pictures", description="Draw the results."
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        help="folder of the results (default: benchmarks/results)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=FIGURES,
        help="folder of the pictures (default: docs/figures)",
    )
    arguments = parser.parse_args()
    reports = read_reports(arguments.results)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, figure in (("speed", draw_ratios(reports)), ("frontier", draw_frontier(reports))):
        if figure is None:
            print(
                f"{name}.png not drawn: there are no results for it yet; see python -m benchmarks"
                " --help"
            )
            continue
        path = arguments.output / f"{name}.png"
        # Without the date and version that matplotlib adds: equal results make equal files.
        figure.savefig(path, facecolor=CARD, metadata={"Software": None})
        print(path)


if __name__ == "__main__":
    main()
