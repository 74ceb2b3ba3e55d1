"""Figures of a single run and of a comparison, and what all figures share."""

import math
from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.analysis.comparison import Comparison
from mnist_trainer.report.analysis.curves import Curves
from mnist_trainer.report.analysis.folds import repetition
from mnist_trainer.report.analysis.groups import score_of
from mnist_trainer.report.analysis.statistics import Difference
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import clean
from mnist_trainer.report.render.svg import GRID, INK, MUTED, SERIES, WIDTH, hover
from mnist_trainer.runs.metric_records import MetricRecord

SPLIT_COLORS = {"train": SERIES[0], "validation": SERIES[1], "test": SERIES[2]}
LABEL_LIMIT = 34
TITLES = {"loss": "loss", "accuracy": "accuracy in %"}
Line = tuple[list[float], list[float]]


def short(text: str, limit: int = LABEL_LIMIT) -> str:
    """A label of at most so many characters."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def epochs_axis(records: Sequence[MetricRecord]) -> tuple[float, str]:
    """Updates per epoch, by which steps are divided, and the name of the axis."""
    for record in reversed(records):
        if record.kind == "epoch" and record.epoch and record.step:
            return record.step / record.epoch, "epoch"
    return 1.0, "update"


def series(run: RunRecord, kind: str, split: str, name: str) -> Line:
    """Steps in epochs, and loss or accuracy in percent, of one kind of record."""
    per_epoch, _ = epochs_axis(run.metrics)
    scale = 100.0 if name == "accuracy" else 1.0
    pairs = [
        (record.step / per_epoch, scale * value)
        for record in run.metrics
        if (record.kind, record.split) == (kind, split)
        and (value := getattr(record, name)) is not None
    ]
    return [x for x, _ in pairs], [y for _, y in pairs]


def label_ends(
    axes: Any, ends: Sequence[tuple[float, float, str, str]], gap: float = 0.065
) -> None:
    """Write names beside the ends of lines, moved apart where they would overlap.

    Args:
        ends: x, y, text and colour of each.
        gap: least distance, as a share of the height.
    """
    to_height = (axes.transData + axes.transAxes.inverted()).transform
    places = sorted((float(to_height((x, y))[1]), text, color) for x, y, text, color in ends)
    low, heights = -math.inf, []
    for height, _, _ in places:
        low = max(height, low + gap)
        heights.append(low)
    over = max(0.0, low - 1.0)
    for (_, text, color), height in zip(places, heights, strict=True):
        place = {"transform": axes.transAxes, "va": "center"}
        axes.text(1.015, height - over, text, color=color, fontsize=9.5, **place)


def set_limits(axes: Any, values: Sequence[float], name: str) -> None:
    """Fit the y axis to the values, on a logarithmic scale for a loss."""
    if not values:
        return
    low, high = min(values), max(values)
    if name == "loss" and low > 0:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        margin = max(0.06 * (high - low), 0.05)
        axes.set_ylim(low - margin, high + margin)


def draw_curves(run: RunRecord, figure: Any) -> None:
    """Loss and accuracy of a run on each split."""
    _, unit = epochs_axis(run.metrics)
    figure.set_size_inches(WIDTH, 3.3)
    for axes, name in zip(figure.subplots(1, 2), TITLES, strict=True):
        ends, seen = [], []
        for split, color in SPLIT_COLORS.items():
            fine, coarse = (series(run, kind, split, name) for kind in ("interval", "epoch"))
            axes.plot(*fine, color=color, linewidth=0.9, alpha=0.55)
            points = zip(*coarse, strict=True)
            texts = [f"{split}, {unit} {at:g}: {name} {y:.4g}" for at, y in points]
            axes.plot(*coarse, color=color, marker="o", gid=hover(*texts))
            x, y = coarse if coarse[0] else fine
            if x:
                ends.append((x[-1], y[-1], split, color))
                # The steep beginning may leave the picture; the epochs may not.
                seen += coarse[1] + fine[1][len(fine[1]) // 4 if len(coarse[1]) < 2 else -1 :]
        set_limits(axes, seen, name)
        axes.set(title=TITLES[name], xlabel=unit)
        axes.locator_params(axis="x", integer=unit == "epoch" and max(ends)[0] > 1)
        label_ends(axes, ends)


def draw_distances(curves: Curves, figure: Any) -> None:
    """Distance of the training losses of two runs by step, and a line where the runs part."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure.set_size_inches(WIDTH, 2.6)
    axes = figure.subplots()
    steps, distances = zip(*curves.distances, strict=True)
    axes.plot(steps, distances, color=SERIES[0], linewidth=1.1, marker=".", markersize=4)
    axes.axvline(curves.step, color=MUTED, linewidth=1)
    axes.text(curves.step, 1.02, f" step {curves.step:,}", color=MUTED, **_above(axes))
    axes.set_yscale("log")
    # The powers of ten as plain text: markup of mathematics does not reach the page.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(0, max(curves.last_steps))
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="update")
    axes.set_title("|training loss of A - training loss of B|", pad=18)


def _above(axes: Any) -> dict[str, Any]:
    """Where a text stands above the axes, at an x of the data."""
    return {"transform": axes.get_xaxis_transform(), "fontsize": 9.5, "va": "bottom"}


def draw_comparison(comparison: Comparison, figure: Any) -> None:
    """Accuracy of every run of both sides, and the interval of the difference below."""
    found = comparison.difference
    figure.set_size_inches(0.82 * WIDTH, 3.2 if found else 1.9)
    heights = [1.5, 1] if found else [1]
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_seeds(panels[0], comparison)
    if found:
        _draw_difference(panels[1], found, "folds" if comparison.split == "validation" else "seeds")
    for axes in panels:
        axes.tick_params(axis="y", labelcolor=INK)
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x", color=GRID)


def _draw_seeds(axes: Any, comparison: Comparison) -> None:
    sides, split = (comparison.a, comparison.b), comparison.split
    for place, side in enumerate(sides):
        scored = [
            (run, 100 * score.accuracy) for run in side.runs if (score := score_of(run, split))
        ]
        accuracies = [accuracy for _, accuracy in scored]
        texts = [f"{side.name}, {repetition(run)}: {accuracy:.2f} %" for run, accuracy in scored]
        look = {"color": SERIES[place], "markersize": 7, "alpha": 0.7}
        axes.plot(accuracies, [-place] * len(accuracies), "os"[place], gid=hover(*texts), **look)
        mean = sum(accuracies) / len(accuracies)
        axes.plot([mean], [-place], "|", color=INK, markersize=20, markeredgewidth=1.8)
    axes.set_yticks([0, -1], [short(side.name) for side in sides])
    axes.set(ylim=(-1.6, 0.6), title=f"{split} accuracy in %: a mark per run, a bar at the mean")


def _draw_difference(axes: Any, found: Difference, over: str) -> None:
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.plot([100 * found.low, 100 * found.high], [0, 0], color=INK, linewidth=2)
    axes.plot([100 * found.value], [0], "D", color=INK, markersize=7)
    axes.set_yticks([0], ["B - A"])
    title = f"difference in percentage points, with its 95 % interval over {over}"
    axes.set(ylim=(-1, 1), title=title)
    axes.margins(x=0.15)
