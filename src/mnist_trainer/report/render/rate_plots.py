"""Figure of a learning-rate test."""

from typing import Any

from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.plots import set_limits
from mnist_trainer.report.render.svg import INK, MUTED, SERIES, WIDTH, hover

NAMES = (("steepest", 2), ("fastest", 0), ("largest_stable", 1))
"""The named rates with the place of their colour."""


def draw_rates(test: JsonValues, figure: Any) -> None:
    """Loss against the rate: a dot for each seed, the mean, a band of one standard deviation, and
    the named rates with their intervals below."""
    figure.set_size_inches(0.85 * WIDTH, 4.6)
    curve, names = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    _draw_losses(test, curve)
    _draw_names(test, names)
    curve.set_xscale("log")
    names.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    names.set(xlabel="optimizer.lr")


def _draw_losses(test: JsonValues, axes: Any) -> None:
    points = [row for row in test.rows("points") if row.number("mean") is not None]
    rates, means, spreads = (
        [row.number(key) or 0.0 for row in points] for key in ("rate", "mean", "deviation")
    )
    seen = list[float]()
    for row in test.rows("points"):
        rate, losses = row.number("rate") or 1.0, row.at("losses")
        finite = [y for y in losses if isinstance(y, float | int)] if losses else []
        look = {"color": SERIES[0], "alpha": 0.35, "markersize": 3.5}
        axes.plot([rate] * len(finite), finite, "o", **look)
        seen += finite
    low, high = ([m + k * s for m, s in zip(means, spreads, strict=True)] for k in (-1, 1))
    axes.fill_between(rates, low, high, color=SERIES[0], alpha=0.18, linewidth=0)
    texts = [f"optimizer.lr={x:g}: loss {y:.4g}" for x, y in zip(rates, means, strict=True)]
    axes.plot(rates, means, "-D", color=SERIES[0], gid=hover(*texts))
    # A rate that is too large may bring losses of any size.
    start = test.number("start_loss")
    if start is not None:
        seen = [start, *(min(loss, 2 * start) for loss in seen)]
    set_limits(axes, seen, "loss")
    if start is not None:
        axes.axhline(start, color=MUTED, linewidth=1, linestyle="--")
        label = {"color": MUTED, "fontsize": 9, "va": "bottom"}
        axes.text(0.0, start, " before training", transform=axes.get_yaxis_transform(), **label)
    seeds, judged = (int(test.number(*path) or 0) for path in (("seeds",), ("num_judged",)))
    title = f"mean training loss of the last {judged} updates, {seeds} seeds, band: ± sd"
    axes.set_title(title)


def _draw_names(test: JsonValues, axes: Any) -> None:
    shown = [(name, color) for name, color in NAMES if test.number("named", name, "value")]
    for place, (name, color) in enumerate(shown):
        value, low, high = (test.number("named", name, key) or 1.0 for key in _BOUNDS)
        look = {"color": SERIES[color]}
        text = f"{name.replace('_', ' ')}: {value:g} ({low:g} to {high:g})"
        axes.plot([low, high], [-place, -place], linewidth=2.2, **look)
        axes.plot([value], [-place], "o", markersize=7, gid=hover(text), **look)
    if recommended := test.number("recommended"):
        for panel in axes.figure.axes:
            panel.axvline(recommended, color=INK, linewidth=1, linestyle=":")
        place = {"transform": axes.get_xaxis_transform(), "va": "bottom", "ha": "center"}
        axes.text(recommended, 1.02, f"recommended: {recommended:.3g}", fontsize=9.5, **place)
    labels = [name.replace("_", " ") for name, _ in shown]
    axes.set_yticks([-place for place in range(len(shown))], labels)
    axes.set(ylim=(-len(shown) + 0.4, 0.6))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(axis="y", visible=False)


_BOUNDS = ("value", "low", "high")
