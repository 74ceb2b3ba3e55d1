"""Curves and maps of an evaluation card."""

import math
from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.read.card import interval, part
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.document import clean
from mnist_trainer.report.render.svg import INK, LEVELS, MUTED, SERIES, SURFACE, WIDTH, hover

STEPS = (0.5, 0.8, 0.95, 0.98)
"""Accuracies at which the colour of a map changes."""
DARK = 3
"""Levels from this one on take light text."""
COLUMNS, MOST_KINDS = 5, 30


def draw_corruptions(card: JsonValues, figure: Any) -> None:
    """Accuracy against strength, a small panel for each corruption; a ring is the published
    strength."""
    kinds = part(card, "corruptions").rows("kinds")[:MOST_KINDS]
    rows = max(1, math.ceil(len(kinds) / COLUMNS))
    figure.set_size_inches(WIDTH, 1.75 * rows + 0.2)
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    for axes in panels.flat[len(kinds) :]:
        axes.set_axis_off()
    for axes, kind in zip(panels.flat, kinds, strict=False):
        points = _points(kind, "strengths", "strength", "accuracy")
        if not points:
            continue
        texts = [f"strength {x:g}: {y:.2f} %" for x, y in points]
        axes.plot(*zip(*points, strict=True), color=SERIES[0], marker="o", gid=hover(*texts))
        chosen = [each for each in points if each[0] == kind.number("published_strength")]
        look = {"markersize": 10, "markerfacecolor": "none", "markeredgecolor": SERIES[1]}
        axes.plot([x for x, _ in chosen], [y for _, y in chosen], "o", **look)
        seen = " (trained with)" if kind.flag("seen_in_training") else ""
        axes.set_title(kind.text("name").replace("_", " ") + seen, fontsize=9.5, pad=5)
        axes.set(ylim=(0, 105), xticks=range(1, 6))


def draw_attacks(card: JsonValues, figure: Any) -> None:
    """Accuracy against epsilon under FGSM and PGD, with intervals."""
    attacks = part(card, "attacks")
    figure.set_size_inches(0.7 * WIDTH, 3.0)
    axes = figure.subplots()
    for number, name in enumerate(("fgsm", "pgd")):
        points = _points(attacks, name, "epsilon", "accuracy")
        if not points:
            continue
        x, y = zip(*points, strict=True)
        texts = [f"{name.upper()}, epsilon {at:g}: {value:.2f} %" for at, value in points]
        look = {"color": SERIES[number], "label": name.upper()}
        axes.plot(x, y, marker="os"[number], gid=hover(*texts), **look)
        for row in attacks.rows(name):
            bounds, at = interval(row.at("accuracy_interval_95")), row.number("epsilon")
            if at is not None and bounds is not None:
                axes.plot([at, at], [100 * each for each in bounds], color=SERIES[number])
    axes.set(ylim=(0, 105), xlabel="epsilon: largest change of a pixel, of 1")
    axes.set_title("accuracy in %, bars are 95 % intervals")
    axes.legend(frameon=False, labelcolor=INK)


def draw_answered(card: JsonValues, figure: Any) -> None:
    """Accuracy against the share of the images that is answered."""
    points = _points(part(card, "unknown"), "answered", "coverage", "accuracy")
    figure.set_size_inches(0.7 * WIDTH, 2.7)
    axes = figure.subplots()
    x = [100 * share for share, _ in points]
    texts = [f"{share:g} % answered: {y:.2f} %" for share, (_, y) in zip(x, points, strict=True)]
    axes.plot(x, [y for _, y in points], color=SERIES[0], marker="o", gid=hover(*texts))
    axes.set(xlabel="answered: the surest share of the test images, in %", xlim=(48, 101))
    axes.set_title("accuracy in %")


def draw_reliability(card: JsonValues, figure: Any) -> None:
    """Accuracy against confidence, before and after temperature scaling."""
    figure.set_size_inches(0.5 * WIDTH, 3.9)
    axes = figure.subplots()
    axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1, linestyle="--")
    for number, name in enumerate(("before", "after")):
        bins = JsonValues(part(card, "calibration").at(name)).rows("bins")
        filled = [row for row in bins if row.number("images")]
        points = [(row.number("confidence") or 0, row.number("accuracy") or 0) for row in filled]
        if not points:
            continue
        texts = [
            f"{name}: {row.number('images'):,.0f} images, {100 * x:.1f} % sure, {100 * y:.1f} %"
            " correct"
            for row, (x, y) in zip(filled, points, strict=True)
        ]
        x, y = ([100 * value for value in each] for each in zip(*points, strict=True))
        look = {"color": SERIES[number], "label": name, "gid": hover(*texts)}
        axes.plot(x, y, marker="os"[number], **look)
    axes.set(xlim=(0, 102), ylim=(0, 102), xlabel="mean probability of the bin, in %")
    axes.set_title("accuracy in %")
    axes.legend(frameon=False, labelcolor=INK)


def draw_shifts(card: JsonValues, figure: Any) -> None:
    """Accuracy over shifts right and down."""
    shifts = part(card, "shifts")
    offsets = _numbers(shifts.at("offsets"))
    _draw_map(figure, _table(shifts.at("shift_map")), offsets, offsets, "pixels down")


def draw_rotations(card: JsonValues, figure: Any) -> None:
    """Accuracy over rotation and shift right."""
    shifts = part(card, "shifts")
    offsets, angles = (_numbers(shifts.at(name)) for name in ("offsets", "angles"))
    label = "degrees counterclockwise"
    _draw_map(figure, _table(shifts.at("rotation_map")), offsets, angles, label)


def _draw_map(
    figure: Any,
    rows: Sequence[Sequence[float]],
    across: Sequence[float],
    down: Sequence[float],
    label: str,
) -> None:
    """A cell for each accuracy, with its number."""
    from matplotlib.patches import Rectangle

    figure.set_size_inches(0.72 * WIDTH, 0.32 * len(rows) + 1.0)
    axes = figure.subplots()
    for y, row in enumerate(rows):
        for x, value in enumerate(row):
            level = sum(value >= step for step in STEPS)
            text = f"{across[x]:g} right, {down[y]:g} {label}: {100 * value:.2f} %"
            axes.add_patch(
                Rectangle(
                    (x - 0.48, y - 0.46), 0.96, 0.92, facecolor=LEVELS[level], gid=hover(text)
                )
            )
            color = SURFACE if level >= DARK else INK
            look = {"ha": "center", "va": "center", "fontsize": 9, "color": color}
            axes.text(x, y, f"{100 * value:.1f}", **look)
    axes.set(xlim=(-0.5, len(across) - 0.5), ylim=(len(down) - 0.5, -0.5))
    axes.set_xticks(range(len(across)), [f"{value:g}" for value in across])
    axes.set_yticks(range(len(down)), [f"{value:g}" for value in down])
    axes.set(xlabel="pixels to the right", ylabel=clean(label), title="accuracy in %")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _points(values: JsonValues, rows: str, x: str, y: str) -> list[tuple[float, float]]:
    """Pairs of a number and a share in percent."""
    pairs = ((row.number(x), row.number(y)) for row in values.rows(rows))
    return [(a, 100 * b) for a, b in pairs if a is not None and b is not None]


def _numbers(value: Any) -> list[float]:
    entries = value if isinstance(value, list) else []
    found = (JsonValues({"value": entry}).number("value") for entry in entries)
    return [each for each in found if each is not None]


def _table(value: Any) -> list[list[float]]:
    return [_numbers(row) for row in value] if isinstance(value, list) else []


def drawable_map(shifts: JsonValues, name: str, down: str) -> bool:
    """Whether a map has a number for each pair of its axes."""
    rows, height, width = _table(shifts.at(name)), _numbers(shifts.at(down)), "offsets"
    columns = len(_numbers(shifts.at(width)))
    return bool(rows) and len(rows) == len(height) and {len(row) for row in rows} == {columns}
