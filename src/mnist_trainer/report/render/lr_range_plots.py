"""Figure of a learning-rate test."""

from typing import Any

from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.plots import set_limits, short
from mnist_trainer.report.render.svg import INK, MUTED, SERIES, WIDTH, hover

NAMES = (("steepest", 2), ("recommended", 6), ("fastest", 0), ("largest_stable", 1))
"""The named rates with the place of their colour."""


def draw_rates(test: JsonValues, figure: Any) -> None:
    """Loss against the rate: a dot for each seed, the mean, a band over the seeds, and the named
    rates with their intervals below."""
    figure.set_size_inches(0.85 * WIDTH, 4.6)
    curve, names = figure.subplots(2, 1, height_ratios=(3.2, 1), sharex=True)
    _draw_losses(test, curve)
    _draw_names(test, names)
    curve.set_xscale("log")
    names.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    names.set(xlabel="optimizer.lr")


def _draw_losses(test: JsonValues, axes: Any) -> None:
    seen = _draw_seeds(test, axes)
    _draw_means(test, axes)
    start = test.number("start_loss")
    if start is not None:
        # A rate that is too large may bring losses of any size.
        seen = [start, *(min(loss, 2 * start) for loss in seen)]
        axes.axhline(start, color=MUTED, linewidth=1, linestyle="--")
        label = {"color": MUTED, "fontsize": 9, "va": "bottom"}
        axes.text(0.0, start, " before training", transform=axes.get_yaxis_transform(), **label)
    set_limits(axes, seen, "loss")
    seeds, judged = (int(test.number(name) or 0) for name in ("seeds", "num_judged"))
    who = ", ".join(short(test.text("choices", group)) for group in ("model", "optimizer"))
    what = f"training loss of the last {judged} updates, mean and range of {seeds} seeds"
    axes.set_title(f"{who}: {what}")


def _draw_seeds(test: JsonValues, axes: Any) -> list[float]:
    """A dot for each seed; the losses that were drawn."""
    points = [
        (rate, loss)
        for row in test.rows("points")
        if (rate := row.number("rate"))
        for each in row.at("losses") or ()
        if (loss := JsonValues({"loss": each}).number("loss")) is not None
    ]
    look = {"color": SERIES[0], "alpha": 0.35, "markersize": 3.5}
    axes.plot([x for x, _ in points], [y for _, y in points], "o", **look)
    return [y for _, y in points]


def _draw_means(test: JsonValues, axes: Any) -> None:
    """The mean over seeds, and a band from the lowest to the highest seed."""
    rows = [row for row in test.rows("points") if row.number("mean") is not None]
    rates, means, lows, highs = (
        [row.number(key) or 0.0 for row in rows] for key in ("rate", "mean", "low", "high")
    )
    axes.fill_between(rates, lows, highs, color=SERIES[0], alpha=0.18, linewidth=0)
    texts = [f"optimizer.lr={x:g}: loss {y:.4g}" for x, y in zip(rates, means, strict=True)]
    axes.plot(rates, means, "-D", color=SERIES[0], gid=hover(*texts))


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
    labels = [name.replace("_", " ") for name, _ in shown]
    axes.set_yticks([-place for place in range(len(shown))], labels)
    axes.set(ylim=(-len(shown) + 0.4, 0.6))
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(axis="y", visible=False)


_BOUNDS = ("value", "low", "high")
