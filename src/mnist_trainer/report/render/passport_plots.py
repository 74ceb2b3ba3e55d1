"""Figures of a passport."""

from collections.abc import Sequence
from typing import Any

from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.plots import short
from mnist_trainer.report.render.svg import INK, MUTED, SERIES, WIDTH, hover


def draw_scaling(passport: JsonValues, figure: Any) -> None:
    """GFLOP/s and GB/s by number of threads, a panel each."""
    rows = [row for row in passport.rows("scaling") if row.number("threads")]
    names = [f"{row.number('threads'):g}" for row in rows]
    figure.set_size_inches(WIDTH, 2.7)
    panels = figure.subplots(1, 2)
    lines = (("gflops", "GFLOP/s, products in fp32", 0), ("triad", "GB/s, triad", 2))
    for axes, (key, title, color) in zip(panels, lines, strict=True):
        values = [row.number(key) or 0.0 for row in rows]
        for place, value in enumerate(values):
            text = f"{names[place]} threads: {value:,.1f}"
            axes.bar([place], [value], width=0.6, color=SERIES[color], gid=hover(text))
            label = {"textcoords": "offset points", "ha": "center", "fontsize": 9}
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
            axes.annotate(shown, (place, value), (0, 3), color=INK, **label)
        axes.set_xticks(range(len(names)), names)
        axes.set(title=title, xlabel="threads")
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.15)
    peak = passport.number("peak", "gflops")
    if peak:
        panels[0].axhline(peak, color=MUTED, linewidth=1, linestyle="--")
        look = {"color": MUTED, "fontsize": 9, "textcoords": "offset points", "va": "bottom"}
        spot = {"xycoords": panels[0].get_yaxis_transform()}
        panels[0].annotate("peak by clock and instructions", (0.01, peak), (0, 2), **look, **spot)
        panels[0].set_ylim(top=1.15 * max(peak, panels[0].get_ylim()[1] / 1.15))


def draw_roofline(passport: JsonValues, figure: Any) -> None:
    """The roofs that were measured, and the training steps below them."""
    figure.set_size_inches(WIDTH, 3.6)
    points = [row for row in passport.rows("recipes") if _positive(row, "flops_per_byte", "gflops")]
    roofs, memory = _roofs(passport)
    if not (roofs and memory and points):
        return
    axes = figure.subplots()
    places = [row.number("flops_per_byte") or 1.0 for row in points]
    ends = [min(1.0, *places), 4 * max(*places, max(roofs.values()) / memory)]
    for name, roof in roofs.items():
        axes.plot([ends[0], roof / memory, ends[1]], [ends[0] * memory, roof, roof], color=MUTED)
        end = {"ha": "right", "va": "bottom", "fontsize": 9, "color": MUTED}
        axes.text(ends[1], roof * 1.06, f"{name}: {roof:,.0f} GFLOP/s", **end)
    slope = {"ha": "left", "va": "top", "fontsize": 9, "color": MUTED}
    axes.text(1.15 * ends[0], ends[0] * memory, f"memory: {memory:,.1f} GB/s", **slope)
    axes.set(xscale="log", yscale="log", xlabel="FLOP/byte", title="GFLOP/s of a training step")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    for number, row in enumerate(points):
        _draw_point(axes, row, SERIES[number % len(SERIES)])
    axes.legend(frameon=False, loc="lower right", labelcolor=INK, fontsize=9.5)


def _draw_point(axes: Any, row: JsonValues, color: str) -> None:
    """The training steps of a recipe in the roofline."""
    x, y = (row.number(key) or 1.0 for key in ("flops_per_byte", "gflops"))
    text = f"{row.text('recipe')}: {y:.3g} GFLOP/s at {x:.3g} FLOP/byte"
    share = row.number("share_of_roofline")
    label = short(row.text("recipe")) + ("" if share is None else f", {100 * share:.0f} %")
    look = {"color": color, "markersize": 8, "label": label, "gid": hover(text)}
    axes.plot([x], [y], "o", **look)


def _roofs(passport: JsonValues) -> tuple[dict[str, float], float]:
    """The quickest product by precision, and the quickest copy or triad."""
    scaling = passport.rows("scaling")
    lows = [row for row in passport.rows("low_precision") if row.text("device") == "cpu"]
    full = [row.number("gflops") or 0.0 for row in scaling]
    roofs = {"fp32": max([*full, *(row.number("fp32_gflops") or 0.0 for row in lows)], default=0.0)}
    roofs |= {row.text("precision"): row.number("gflops") or 0.0 for row in lows}
    speeds = (row.number(name) or 0.0 for row in scaling for name in ("copy", "triad"))
    return {name: roof for name, roof in roofs.items() if roof > 0}, max(speeds, default=0.0)


def _positive(row: JsonValues, *names: str) -> bool:
    return all((row.number(name) or 0.0) > 0 for name in names)


def draw_moods(passport: JsonValues, figure: Any) -> None:
    """Time of the same work over the passport, and what others used meanwhile."""
    samples = passport.rows("moods")
    others = _curve(samples, "others_cores")
    figure.set_size_inches(WIDTH, 4.2 if others else 2.6)
    panels = figure.subplots(2 if others else 1, 1, squeeze=False, sharex=True)[:, 0]
    for name, label, color in (("wall", "wall clock", 1), ("cpu", "CPU time of its thread", 0)):
        curve = [(x, 1000 * y) for x, y in _curve(samples, name)]
        texts = [f"{x:.1f} s: {y:.1f} ms, {label}" for x, y in curve]
        look = {"color": SERIES[color], "label": label, "gid": hover(*texts)}
        x, y = [x for x, _ in curve], [y for _, y in curve]
        panels[0].plot(x, y, "o-", linewidth=1, markersize=3.5, **look)
    panels[0].set(title="ms for the same product of matrices on one thread")
    panels[0].set_ylim(bottom=0)
    above = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    panels[0].legend(frameon=False, ncols=2, labelcolor=INK, fontsize=9, **above)
    if others:
        x, y = [x for x, _ in others], [y for _, y in others]
        panels[1].plot(x, y, drawstyle="steps-pre", color=SERIES[2], linewidth=1.4)
        panels[1].fill_between(x, y, step="pre", color=SERIES[2], alpha=0.18, linewidth=0)
        panels[1].set(title="cores that others kept busy (/proc/stat)")
        panels[1].set_ylim(0, max(1.0, 1.1 * max(y)))
    panels[-1].set(xlabel="seconds")


def _curve(samples: Sequence[JsonValues], name: str) -> list[tuple[float, float]]:
    """Time and value of the measurements that have both."""
    pairs = ((row.number("at"), row.number(name)) for row in samples)
    return [(x, y) for x, y in pairs if x is not None and y is not None]
