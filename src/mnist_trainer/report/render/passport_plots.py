"""Figures of a passport."""

from typing import Any

from mnist_trainer.report.read.passport import Passport
from mnist_trainer.report.render.plots import short
from mnist_trainer.report.render.svg import INK, MUTED, SERIES, WIDTH, hover


def draw_scaling(passport: Passport, figure: Any) -> None:
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
            axes.annotate(f"{value:,.0f}", (place, value), (0, 3), color=INK, **label)
        axes.set_xticks(range(len(names)), names)
        axes.set(title=title, xlabel="threads")
        axes.grid(axis="x", visible=False)
        axes.margins(y=0.15)
    peak = passport.number("peak", "gflops")
    if peak:
        panels[0].axhline(peak, color=MUTED, linewidth=1, linestyle="--")
        spot = {"transform": panels[0].get_yaxis_transform(), "va": "bottom", "ha": "left"}
        panels[0].text(
            0.01, peak, "peak by clock and instructions", color=MUTED, fontsize=9, **spot
        )


def draw_roofline(passport: Passport, figure: Any) -> None:
    """The roofs that were measured, and the training steps below them."""
    figure.set_size_inches(WIDTH, 3.6)
    axes = figure.subplots()
    bandwidths = [
        value
        for row in passport.rows("scaling")
        for name in ("copy", "triad")
        if (value := row.number(name))
    ]
    products = [value for row in passport.rows("scaling") if (value := row.number("gflops"))]
    points = [row for row in passport.rows("recipes") if _positive(row, "flops_per_byte", "gflops")]
    if not (bandwidths and products and points):
        return
    roofs = [("fp32", max(products))]
    for row in passport.rows("low_precision"):
        value = row.number("gflops")
        if row.text("device") == "cpu" and value and value > 0:
            roofs.append((row.text("precision"), value))
    memory = max(bandwidths)
    places = [float(row.number("flops_per_byte") or 1.0) for row in points]
    ends = [min(0.1, *places), 4 * max(max(places), max(roof for _, roof in roofs) / memory)]
    for name, roof in roofs:
        ridge = roof / memory
        axes.plot([ends[0], ridge, ends[1]], [ends[0] * memory, roof, roof], color=MUTED)
        end = {"ha": "right", "va": "bottom", "fontsize": 9, "color": MUTED}
        axes.text(ends[1], roof * 1.06, f"{name}: {roof:,.0f} GFLOP/s", **end)
    axes.set(xscale="log", yscale="log", xlabel="FLOP/byte", title="GFLOP/s of a training step")
    for number, row in enumerate(points):
        x, y = (float(row.number(key) or 1.0) for key in ("flops_per_byte", "gflops"))
        text = f"{row.text('recipe')}: {y:.3g} GFLOP/s at {x:.3g} FLOP/byte"
        color = SERIES[number % len(SERIES)]
        axes.plot([x], [y], "o", color=color, markersize=8, gid=hover(text))
        share = row.number("share_of_roofline")
        label = f"{short(row.text('recipe'))}, {100 * share:.0f} %" if share else ""
        axes.annotate(label, (x, y), (8, -12), textcoords="offset points", color=color)


def _positive(row: Passport, *names: str) -> bool:
    return all((row.number(name) or 0.0) > 0 for name in names)


def draw_moods(passport: Passport, figure: Any) -> None:
    """Time of the same work over the passport, and what others used meanwhile."""
    samples = [row for row in passport.rows("moods") if row.number("at") is not None]
    others = [
        (row.number("at") or 0.0, cores)
        for row in samples
        if (cores := row.number("others_cores")) is not None
    ]
    figure.set_size_inches(WIDTH, 4.2 if others else 2.6)
    panels = figure.subplots(2 if others else 1, 1, squeeze=False, sharex=True)[:, 0]
    places = [row.number("at") or 0.0 for row in samples]
    for name, label, color in (("wall", "wall clock", 1), ("cpu", "CPU time of its thread", 0)):
        values = [1000 * (row.number(name) or 0.0) for row in samples]
        texts = [f"{x:.1f} s: {y:.1f} ms, {label}" for x, y in zip(places, values, strict=True)]
        look = {"color": SERIES[color], "label": label, "gid": hover(*texts)}
        panels[0].plot(places, values, "o-", linewidth=1, markersize=3.5, **look)
    panels[0].set(title="ms for the same product of matrices on one thread")
    panels[0].set_ylim(bottom=0)
    panels[0].legend(frameon=False, loc="lower left", ncols=2, labelcolor=INK, fontsize=9)
    if others:
        x, y = [at for at, _ in others], [cores for _, cores in others]
        panels[1].plot(x, y, drawstyle="steps-pre", color=SERIES[2], linewidth=1.4)
        panels[1].fill_between(x, y, step="pre", color=SERIES[2], alpha=0.18, linewidth=0)
        panels[1].set(title="cores that others kept busy (/proc/stat)")
        panels[1].set_ylim(0, max(1.0, 1.1 * max(y)))
    panels[-1].set(xlabel="seconds")
