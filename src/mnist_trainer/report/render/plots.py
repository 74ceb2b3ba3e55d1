"""The pictures of a report. What is drawn is labelled where it is, and no picture rests on colour
alone."""

import math
from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.analysis.comparison import Comparison
from mnist_trainer.report.analysis.groups import Effect, Group, main_effects, score_of
from mnist_trainer.report.read.records import Point, RunRecord
from mnist_trainer.report.render.document import clean
from mnist_trainer.report.render.svg import (
    GRID,
    INK,
    LEVELS,
    MUTED,
    SERIES,
    SURFACE,
    WIDTH,
    canvas,
    element,
)

SPLIT_COLORS = {"train": SERIES[0], "validation": SERIES[1], "test": SERIES[2]}
LABEL_LIMIT = 34


def color_of(place: int) -> str:
    """Colour of a group by its place; those that come late share one."""
    return SERIES[place] if place < len(SERIES) else MUTED


def short(text: str, limit: int = LABEL_LIMIT) -> str:
    """A label that leaves room for the picture."""
    text = clean(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def epochs_axis(points: Sequence[Point]) -> tuple[float, str]:
    """Updates in an epoch, by which steps are divided, and what the axis is then called."""
    for point in reversed(points):
        if point.kind == "epoch" and point.epoch and point.step:
            return point.step / point.epoch, "epoch"
    return 1.0, "update"


def label_ends(
    axes: Any, ends: Sequence[tuple[float, float, str, str]], gap: float = 0.065
) -> None:
    """Names beside the ends of lines, moved apart where they would cover each other.

    Args:
        ends: x, y, text and colour of each.
        gap: least distance, as a share of the height.
    """
    places = sorted(
        (
            float(axes.transAxes.inverted().transform(axes.transData.transform((x, y)))[1]),
            text,
            color,
        )
        for x, y, text, color in ends
    )
    low = -math.inf
    heights = []
    for height, _, _ in places:
        low = max(height, low + gap)
        heights.append(low)
    over = max(0.0, heights[-1] - 1.0) if heights else 0.0
    for (_, text, color), height in zip(places, heights, strict=True):
        axes.text(
            1.015,
            height - over,
            text,
            color=color,
            transform=axes.transAxes,
            va="center",
            fontsize=9.5,
        )


def draw_curves(run: RunRecord, alt: str) -> str:
    """Loss and accuracy of a run: training, and what was held out."""
    per_epoch, unit = epochs_axis(run.points)
    with canvas(WIDTH, 3.3) as figure:
        for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            scale = 100.0 if name == "accuracy" else 1.0
            ends, seen = [], []
            for split, color in SPLIT_COLORS.items():
                fine = _series(run.points, "interval", split, name, per_epoch, scale)
                coarse = _series(run.points, "epoch", split, name, per_epoch, scale)
                axes.plot(*fine, color=color, linewidth=0.9, alpha=0.55)
                axes.plot(*coarse, color=color, marker="o")
                line = coarse if coarse[0] else fine
                if line[0]:
                    ends.append((line[0][-1], line[1][-1], split, color))
                    # The steep beginning may leave the picture; the epochs may not.
                    seen += coarse[1] + fine[1][len(fine[1]) // 4 if len(coarse[1]) < 2 else -1 :]
            _limits(axes, seen, name)
            axes.set(title="loss" if name == "loss" else "accuracy in %", xlabel=unit)
            axes.locator_params(axis="x", integer=unit == "epoch" and len(coarse[0]) > 1)
            label_ends(axes, ends)
        return element(figure, alt)


def _series(
    points: Sequence[Point], kind: str, split: str, name: str, per_epoch: float, scale: float
) -> tuple[list[float], list[float]]:
    pairs = [
        (point.step / per_epoch, scale * value)
        for point in points
        if point.kind == kind
        and point.split == split
        and (value := getattr(point, name)) is not None
    ]
    return [x for x, _ in pairs], [y for _, y in pairs]


def _limits(axes: Any, values: Sequence[float], name: str) -> None:
    """Room for these values, on a scale for what falls by factors where it is a loss."""
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


def draw_overlay(groups: Sequence[Group], split: str, alt: str) -> str:
    """All runs of a sweep: training loss, and accuracy of what was held out, by epoch."""
    curves = [
        (color_of(place), group, run)
        for place, group in enumerate(groups)
        for run in group.runs
        if run.points
    ]
    epochs = max(
        (point.epoch for _, _, run in curves for point in run.points if point.split == split),
        default=0,
    )
    with canvas(WIDTH, 3.9) as figure:
        panels = [
            ("interval", "train", "loss", "training loss"),
            ("epoch", split, "accuracy", f"{split} accuracy in %"),
        ]
        panels = panels if epochs > 1 else panels[:1]
        for axes, (kind, part, name, title) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            scale, ends, seen = (
                (100.0 if name == "accuracy" else 1.0),
                dict[int, Any](),
                list[float](),
            )
            for color, group, run in reversed(curves):
                per_epoch, _ = epochs_axis(run.points)
                x, y = _series(run.points, kind, part, name, per_epoch, scale)
                axes.plot(
                    x,
                    y,
                    color=color,
                    alpha=0.75,
                    linewidth=1.2,
                    marker="o" if kind == "epoch" else None,
                )
                seen += y if kind == "epoch" else y[1:] or y
                if y and color != MUTED:
                    ends.setdefault(id(group), []).append(
                        (x[-1], y[-1], short(group.label, 38), color)
                    )
            _limits(axes, seen, name)
            axes.set(title=title, xlabel="epoch")
            axes.locator_params(axis="x", integer=epochs > 1)
            if axes is figure.axes[-1]:
                label_ends(
                    axes,
                    [
                        (e[0][0], sorted(y for _, y, _, _ in e)[len(e) // 2], *e[0][2:])
                        for e in ends.values()
                    ],
                    0.055,
                )
        return element(figure, alt)


def draw_effects(effects: Sequence[Effect], split: str, alt: str) -> str:
    """For each setting a panel: every run a dot, the mean of each value joined."""
    settings = list(dict.fromkeys(effect.setting for effect in effects))
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    with canvas(WIDTH if columns > 1 else 0.6 * WIDTH, 2.9 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
        for setting, axes in zip(settings, panels, strict=False):
            own = [effect for effect in effects if effect.setting == setting]
            for place, effect in enumerate(own):
                axes.plot(
                    [place] * len(effect.accuracies),
                    [100 * a for a in effect.accuracies],
                    "o",
                    color=SERIES[0],
                    alpha=0.45,
                )
                axes.annotate(
                    f"{100 * effect.spread.mean:.2f}",
                    (place, 100 * effect.spread.mean),
                    (9, 5),
                    textcoords="offset points",
                )
            axes.plot(
                range(len(own)), [100 * effect.spread.mean for effect in own], "-D", color=SERIES[1]
            )
            axes.set_xticks(
                range(len(own)),
                [short(effect.value, 22) for effect in own],
                rotation=20 if len(own) > 4 else 0,
            )
            axes.set_xlim(-0.4, len(own) - 0.3)
            axes.grid(axis="x", visible=False)
            axes.set_title(short(setting))
        for axes in list(panels):
            axes.set_visible(False)
        figure.supylabel(f"{split} accuracy in %", fontsize=10)
        return element(figure, alt)


def draw_parallel(groups: Sequence[Group], split: str, alt: str) -> str:
    """A line a run through its settings to its accuracy; the better, the stronger its colour."""
    effects = main_effects(groups, split)
    settings = list(dict.fromkeys(effect.setting for effect in effects))
    runs = [
        (scored.accuracy, group, run)
        for group in groups
        for run in group.completed
        if (scored := score_of(run, split))
    ]
    runs.sort(key=lambda each: each[0])
    values = {
        key: [effect.value for effect in effects if effect.setting == key] for key in settings
    }
    low, high = runs[0][0], runs[-1][0]
    with canvas(WIDTH, 3.6) as figure:
        axes = figure.subplots()
        for rank, (accuracy, group, _) in enumerate(runs):
            heights = [
                _height(values[key].index(group.settings[key]), len(values[key]))
                for key in settings
            ]
            heights = [h + 0.05 * ((rank + 0.5) / len(runs) - 0.5) for h in heights]
            heights.append((accuracy - low) / (high - low) if high > low else 0.5)
            color = LEVELS[min(len(LEVELS) - 1, rank * len(LEVELS) // len(runs))]
            axes.plot(range(len(heights)), heights, color=color, linewidth=1.6, alpha=0.9)
        for place, key in enumerate(settings):
            axes.axvline(place, color=MUTED, linewidth=0.8)
            for index, value in enumerate(values[key]):
                spot, offset = (place, _height(index, len(values[key]))), (7 if place else -7, 0)
                label = axes.annotate(
                    short(value, 18),
                    spot,
                    offset,
                    textcoords="offset points",
                    va="center",
                    ha="left" if place else "right",
                )
                label.set_bbox(
                    {"facecolor": SURFACE, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
                )
        axes.axvline(len(settings), color=MUTED, linewidth=0.8)
        for share in (0.0, 0.5, 1.0):
            text = f"{100 * (low + share * (high - low)):.2f} %"
            axes.annotate(
                text, (len(settings), share), (7, 0), textcoords="offset points", va="center"
            )
        axes.set_xticks(
            range(len(settings) + 1), [*(short(key, 26) for key in settings), f"{split} accuracy"]
        )
        axes.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.05, len(settings) + 0.35))
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0, labelcolor=INK)
        return element(figure, alt)


def _height(index: int, count: int) -> float:
    return index / (count - 1) if count > 1 else 0.5


def draw_time(groups: Sequence[Group], split: str, alt: str) -> str:
    """Accuracy against the time that a run took."""
    with canvas(WIDTH, 3.7) as figure:
        axes = figure.subplots()
        for place, group in enumerate(groups):
            pairs = [
                (t, 100 * s.accuracy)
                for run in group.completed
                if (s := score_of(run, split)) and (t := run.seconds("total"))
            ]
            if not pairs:
                continue
            named = (
                short(group.label)
                if place < len(SERIES)
                else "others"
                if place == len(SERIES)
                else None
            )
            look = {
                "color": color_of(place),
                "marker": "osD^vPXh"[min(place, len(SERIES))],
                "linestyle": "none",
            }
            axes.plot(
                [t for t, _ in pairs],
                [a for _, a in pairs],
                markersize=6.5,
                alpha=0.85,
                label=named,
                **look,
            )
        axes.set(xlabel="seconds for the whole run", title=f"{split} accuracy in %")
        axes.margins(x=0.08, y=0.1)
        axes.legend(
            loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor="linecolor"
        )
        return element(figure, alt)


def draw_comparison(comparison: Comparison, alt: str) -> str:
    """Every seed of both sides a dot, and the interval of the difference of their means below."""
    with canvas(0.82 * WIDTH, 3.2 if comparison.difference else 1.9) as figure:
        heights = [1.5, 1] if comparison.difference else [1]
        panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        for place, side in enumerate((comparison.a, comparison.b)):
            accuracies = [100 * run.test.accuracy for run in side.runs if run.test]
            panels[0].plot(
                accuracies,
                [-place] * len(accuracies),
                "os"[place],
                color=SERIES[place],
                markersize=7,
                alpha=0.7,
            )
            panels[0].plot(
                [sum(accuracies) / len(accuracies)],
                [-place],
                "|",
                color=INK,
                markersize=20,
                markeredgewidth=1.8,
            )
        panels[0].set(
            yticks=[0, -1],
            ylim=(-1.6, 0.6),
            title="test accuracy in %: a mark a seed, a bar at the mean",
        )
        panels[0].set_yticklabels(
            [short(side.name) for side in (comparison.a, comparison.b)], color=INK
        )
        if comparison.difference:
            found = comparison.difference
            panels[1].axvline(0, color=MUTED, linewidth=1)
            panels[1].plot([100 * found.low, 100 * found.high], [0, 0], color=INK, linewidth=2)
            panels[1].plot([100 * found.value], [0], "D", color=INK, markersize=7)
            panels[1].set(
                yticks=[0],
                ylim=(-1, 1),
                title="difference in percentage points, with its 95 % interval over seeds",
            )
            panels[1].set_yticklabels(["B - A"], color=INK)
            panels[1].margins(x=0.15)
        for axes in panels:
            axes.grid(axis="y", visible=False)
            axes.grid(axis="x", color=GRID)
        return element(figure, alt)
