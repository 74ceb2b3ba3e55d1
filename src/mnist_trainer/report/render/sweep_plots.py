"""Figures of a sweep."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.analysis.groups import Effect, Group, main_effects, score_of
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.plots import label_ends, series, set_limits, short
from mnist_trainer.report.render.svg import (
    INK,
    LEVELS,
    MUTED,
    SERIES,
    SURFACE,
    WIDTH,
    hover,
)

OFFSET = {"textcoords": "offset points"}


def color_of(place: int) -> str:
    """Colour of a group by its rank; the last ones share one."""
    return SERIES[place] if place < len(SERIES) else MUTED


def draw_overlay(groups: Sequence[Group], split: str, figure: Any) -> None:
    """Training loss and held-out accuracy of all runs of a sweep, by epoch."""
    records = [record for group in groups for run in group.runs for record in run.metrics]
    epochs = max((record.epoch for record in records if record.split == split), default=0)
    panels = [("interval", "train", "loss", "training loss")]
    if epochs > 1:
        panels.append(("epoch", split, "accuracy", f"{split} accuracy in %"))
    figure.set_size_inches(WIDTH, 3.9)
    for axes, (kind, part, name, title) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        ends = _draw_runs(axes, groups, kind, part, name)
        axes.set(title=title, xlabel="epoch")
        axes.locator_params(axis="x", integer=epochs > 1)
    label_ends(axes, ends, 0.055)


def _draw_runs(
    axes: Any, groups: Sequence[Group], kind: str, split: str, name: str
) -> list[tuple[float, float, str, str]]:
    """Draw a line per run, the best group on top.

    Returns:
        For each coloured group x, y, label and colour of the end of its median run.
    """
    ends, seen = [], list[float]()
    for place, group in reversed(list(enumerate(groups))):
        color, last = color_of(place), []
        for run in group.runs:
            x, y = series(run, kind, split, name)
            marker = "o" if kind == "epoch" else None
            who = f"{group.label}, seed {run.seed}"
            points = zip(x, y, strict=True)
            texts = [f"{who}, epoch {at:g}: {name} {value:.4g}" for at, value in points]
            look = {"alpha": 0.75, "linewidth": 1.2, "marker": marker}
            axes.plot(x, y, color=color, gid=hover(*(texts if marker else [who])), **look)
            seen += y if kind == "epoch" else y[1:] or y
            last += [(y[-1], x[-1])] if y else []
        if last and color != MUTED:
            height, end = sorted(last)[len(last) // 2]
            ends.append((end, height, short(group.label, 38), color))
    set_limits(axes, seen, name)
    return ends


def draw_effects(effects: Sequence[Effect], split: str, figure: Any) -> None:
    """A panel per setting: every run a dot, the means of the values joined."""
    settings: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects:
        settings[effect.setting].append(effect)
    columns = min(3, len(settings))
    rows = math.ceil(len(settings) / columns)
    figure.set_size_inches(WIDTH if columns > 1 else 0.6 * WIDTH, 2.9 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for (setting, own), axes in zip(settings.items(), panels, strict=False):
        _draw_effect(axes, own)
        axes.set_title(short(setting))
    for axes in list(panels):
        axes.set_visible(False)
    figure.supylabel(f"{split} accuracy in %", fontsize=10)


def _draw_effect(axes: Any, effects: Sequence[Effect]) -> None:
    means = [100 * effect.spread.mean for effect in effects]
    for place, (effect, mean) in enumerate(zip(effects, means, strict=True)):
        accuracies = [100 * accuracy for accuracy in effect.accuracies]
        texts = [f"{effect.value}: {accuracy:.2f} %" for accuracy in accuracies]
        look = {"color": SERIES[0], "alpha": 0.45, "gid": hover(*texts)}
        axes.plot([place] * len(accuracies), accuracies, "o", **look)
        axes.annotate(f"{mean:.2f}", (place, mean), (9, 5), **OFFSET)
    axes.plot(range(len(means)), means, "-D", color=SERIES[1])
    names = [short(effect.value, 22) for effect in effects]
    axes.set_xticks(range(len(names)), names, rotation=20 if len(names) > 4 else 0)
    axes.set_xlim(-0.4, len(names) - 0.3)
    axes.grid(axis="x", visible=False)


def draw_parallel(groups: Sequence[Group], split: str, figure: Any) -> None:
    """Parallel coordinates: a line per run from its settings to its accuracy."""
    scored = sorted(
        ((score.accuracy, group) for group, _, score in _scored(groups, split)),
        key=lambda pair: pair[0],
    )
    values: dict[str, list[str]] = defaultdict(list)
    for effect in main_effects(groups, split):
        values[effect.setting].append(effect.value)
    low, high = scored[0][0], scored[-1][0]
    figure.set_size_inches(WIDTH, 3.6)
    axes = figure.subplots()
    for rank, (accuracy, group) in enumerate(scored):
        # Lines with equal settings are spread a little, in the order of their accuracies.
        shift = 0.05 * ((rank + 0.5) / len(scored) - 0.5)
        heights = [
            _height(options.index(group.settings[key]), len(options)) + shift
            for key, options in values.items()
        ]
        heights.append((accuracy - low) / (high - low) if high > low else 0.5)
        color = LEVELS[rank * len(LEVELS) // len(scored)]
        look = {"linewidth": 1.6, "gid": hover(f"{group.label}: {100 * accuracy:.2f} %")}
        axes.plot(range(len(heights)), heights, color=color, alpha=0.9, **look)
    for place, options in enumerate(values.values()):
        _label_values(axes, place, options)
    for share in (0.0, 0.5, 1.0):
        text = f"{100 * (low + share * (high - low)):.2f} %"
        axes.annotate(text, (len(values), share), (7, 0), va="center", **OFFSET)
    axes.axvline(len(values), color=MUTED, linewidth=0.8)
    names = [*(short(key, 26) for key in values), f"{split} accuracy"]
    axes.set_xticks(range(len(names)), names)
    axes.set(yticks=[], ylim=(-0.06, 1.06), xlim=(-0.05, len(values) + 0.35))
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)


def _label_values(axes: Any, place: int, values: Sequence[str]) -> None:
    """An axis of parallel coordinates with the values of its setting."""
    axes.axvline(place, color=MUTED, linewidth=0.8)
    box = {"facecolor": SURFACE, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
    side = {"ha": "left" if place else "right", "xytext": (7 if place else -7, 0)}
    for index, value in enumerate(values):
        spot = (place, _height(index, len(values)))
        axes.annotate(short(value, 18), spot, va="center", bbox=box, **side, **OFFSET)


def _height(index: int, count: int) -> float:
    return index / (count - 1) if count > 1 else 0.5


def _scored(groups: Sequence[Group], split: str) -> list[tuple[Group, RunRecord, Any]]:
    """The completed runs that have scores on the split, with their groups."""
    return [
        (group, run, score)
        for group in groups
        for run in group.completed
        if (score := score_of(run, split))
    ]


def draw_time(groups: Sequence[Group], split: str, figure: Any) -> None:
    """Accuracy against the total time of a run."""
    figure.set_size_inches(WIDTH, 3.7)
    axes = figure.subplots()
    for place, group in enumerate(groups):
        found = [
            (seconds, 100 * score.accuracy, run.seed)
            for _, run, score in _scored([group], split)
            if (seconds := run.seconds("total"))
        ]
        pairs = [(seconds, accuracy) for seconds, accuracy, _ in found]
        texts = [f"{group.label}, seed {s}: {y:.2f} % in {x:.1f} s" for x, y, s in found]
        names = [*(short(group.label) for group in groups[: len(SERIES)]), "others"]
        look = {
            "color": color_of(place),
            "marker": "osD^vPXh"[min(place, len(SERIES))],
            "gid": hover(*texts),
            "label": names[place] if place < len(names) else None,
        }
        if pairs:
            axes.plot(*zip(*pairs, strict=True), linestyle="", markersize=6.5, alpha=0.85, **look)
    axes.set(xlabel="seconds for the whole run", title=f"{split} accuracy in %")
    axes.margins(x=0.08, y=0.1)
    place_of_legend = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
    axes.legend(frameon=False, labelcolor="linecolor", **place_of_legend)
