"""The figure of a sweep's curves: a line for the mean over the seeds of each group, and a band for
its 95 % interval."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mnist_trainer.report.analysis.bands import Band, bands_of
from mnist_trainer.report.analysis.groups import Group
from mnist_trainer.report.render.document import Picture
from mnist_trainer.report.render.plots import label_ends, set_limits, short
from mnist_trainer.report.render.svg import MUTED, SERIES, WIDTH, hover

MAX_GROUPS = len(SERIES)
"""Groups that are drawn: more bands than colours cover each other."""
CAPTION = (
    "Mean over the seeds of each group, with the 95 % interval of that mean (Student's t, at each"
    " point alone)"
)


def band_picture(groups: Sequence[Group], split: str) -> Picture | None:
    """The figure; None where no group has two seeds with curves.

    Args:
        groups: the best first.
        split: validation or test.
    """
    found = [(group, bands_of(group)) for group in groups[:MAX_GROUPS]]
    drawn = [(group, bands) for group, bands in found if bands]
    if not drawn:
        return None
    left_out = len(groups) - MAX_GROUPS
    caption = CAPTION + (f"; the best {MAX_GROUPS} of {len(groups)} groups" if left_out > 0 else "")
    alt = "; ".join(_at_the_end(group, bands, split) for group, bands in drawn)
    return Picture(caption, alt, partial(draw_bands, drawn, split))


def _band(bands: Sequence[Band], kind: str, split: str, name: str) -> Band | None:
    return next((b for b in bands if (b.kind, b.split, b.name) == (kind, split, name)), None)


def _at_the_end(group: Group, bands: Sequence[Band], split: str) -> str:
    band = _band(bands, "epoch", split, "accuracy")
    if band is None:
        return f"{group.label}: no {split} accuracy"
    last = band.points[-1]
    return (
        f"{group.label}: {split} accuracy after the last epoch {100 * last.mean:.2f} %, interval"
        f" {100 * last.low:.2f} to {100 * last.high:.2f}, {last.seeds} seeds"
    )


def draw_bands(drawn: Sequence[tuple[Group, Sequence[Band]]], split: str, figure: Any) -> None:
    """Training loss, and held-out loss and accuracy, of every group by epoch."""
    panels = [("train", "loss", "training loss"), (split, "accuracy", f"{split} accuracy in %")]
    figure.set_size_inches(WIDTH, 3.9)
    ends: list[tuple[float, float, str, str]] = []
    for axes, (part, name, title) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        seen, ends = list[float](), []
        for place, (group, bands) in reversed(list(enumerate(drawn))):
            color = SERIES[place] if place < len(SERIES) else MUTED
            band = _band(bands, "epoch", part, name)
            if band:
                x, y = _draw(axes, band, group.label, color)
                seen += [each.low * _scale(name) for each in band.points]
                seen += [each.high * _scale(name) for each in band.points]
                ends.append((x, y, short(group.label, 38), color))
        set_limits(axes, seen, name)
        axes.set(title=title, xlabel="epoch")
        axes.locator_params(axis="x", integer=True)
    label_ends(axes, ends, 0.055)


def _scale(name: str) -> float:
    return 100.0 if name == "accuracy" else 1.0


def _draw(axes: Any, band: Band, label: str, color: str) -> tuple[float, float]:
    """Draw a band; return the end of its line."""
    scale = _scale(band.name)
    x = [each.epoch for each in band.points]
    mean, low, high = (
        [scale * getattr(each, part) for each in band.points] for part in ("mean", "low", "high")
    )
    texts = [
        f"{label}, epoch {each.epoch:g}: {band.name} {scale * each.mean:.4g},"
        f" {scale * each.low:.4g} to {scale * each.high:.4g}, {each.seeds} seeds"
        for each in band.points
    ]
    axes.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)
    if len(x) == 1:  # A band of one point has no area.
        axes.plot(x * 2, [low[0], high[0]], color=color, alpha=0.5, linewidth=3)
    axes.plot(x, mean, color=color, marker="o", gid=hover(*texts))
    return x[-1], mean[-1]
