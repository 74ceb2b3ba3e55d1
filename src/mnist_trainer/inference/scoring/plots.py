"""Plots of an evaluation: pure functions from arrays to a figure.

Colours are those of Okabe and Ito (2008), which people with any colour vision tell apart. No figure
touches pyplot's global state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
MAX_FILTERS = 64
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Mistake:
    """A misclassified image, for the gallery."""

    image: Array
    """(28, 28), 0 to 255."""
    index: int
    """Place of the image in its split."""
    true_label: str
    predicted_label: str
    probability: float
    """Of the predicted label."""


def confusion_matrix(confusion: Array, names: Sequence[str], title: str) -> Figure:
    """Confusion matrix (C, C), true labels down; only mistakes are shaded, for visibility."""
    size = len(names)
    figure = Figure(
        figsize=(max(6.4, 0.42 * size + 2), max(5.8, 0.4 * size + 1.6)), layout="constrained"
    )
    axes = figure.subplots()
    mistakes = np.where(np.eye(size, dtype=bool), 0, confusion).astype(float)
    most = max(1.0, mistakes.max())
    axes.imshow(np.ma.masked_equal(mistakes, 0), cmap="Oranges", vmin=0, vmax=most * 1.15)
    fontsize = 9 if size <= 12 else 6
    for row in range(size):
        corner = (row - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="#DCE9F3", edgecolor="none"))
        for column in range(size):
            count = int(confusion[row, column])
            if count:
                dark = row != column and mistakes[row, column] > 0.6 * most
                axes.text(
                    column,
                    row,
                    f"{count}",
                    ha="center",
                    va="center",
                    fontsize=fontsize,
                    color="white" if dark else "black",
                )
    turned = 45 if max(map(len, names)) > 3 else 0
    axes.set_xticks(range(size), names, rotation=turned, ha="right" if turned else "center")
    axes.set_yticks(range(size), names)
    axes.set(xlabel="predicted label", ylabel="true label", title=title)
    axes.tick_params(length=0)
    return figure


def reliability_diagram(
    confidence: Array, accuracy: Array, count: Array, error: float, title: str
) -> Figure:
    """Accuracy against confidence by bins, (B,) each, and the number of predictions in each."""
    bins = len(count)
    edges = np.arange(bins) / bins
    filled = count > 0
    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    top.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="perfectly calibrated")
    top.bar(
        edges[filled],
        accuracy[filled],
        width=1 / bins,
        align="edge",
        color=BLUE,
        alpha=0.35,
        edgecolor=BLUE,
        label="accuracy",
    )
    top.plot(confidence[filled], accuracy[filled], "o", color=ORANGE, label="mean of the bin")
    top.set(
        ylabel="accuracy",
        xlim=(0, 1),
        ylim=(-0.02, 1.02),
        title=f"{title}\nexpected calibration error {error:.4f}",
    )
    top.legend(loc="upper left", frameon=False)
    bottom.bar(edges, count, width=1 / bins, align="edge", color=GREY, edgecolor="white")
    bottom.set_yscale("symlog", linthresh=1)
    bottom.set_ylim(bottom=0)
    bottom.set(xlabel="confidence", ylabel="predictions")
    return figure


def class_bars(
    precision: Array, recall: Array, f1: Array, names: Sequence[str], title: str
) -> Figure:
    """Precision, recall and F1 by class, (C,) each; the axis begins where the values do."""
    figure = Figure(figsize=(max(7.2, 0.55 * len(names) + 1.6), 4.2), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(names))
    for shift, values, colour, label in (
        (-1, precision, BLUE, "precision"),
        (0, recall, ORANGE, "recall"),
        (1, f1, GREEN, "F1"),
    ):
        axes.bar(places + 0.27 * shift, 100 * values, width=0.25, color=colour, label=label)
    lowest = 100 * float(min(precision.min(), recall.min(), f1.min()))
    axes.set_ylim(max(0.0, np.floor(lowest - 0.15 * (100 - lowest) - 0.5)), 100)
    turned = 45 if max(map(len, names)) > 3 else 0
    axes.set_xticks(places, names, rotation=turned, ha="right" if turned else "center")
    axes.set_ylabel("%")
    axes.set_title(title, loc="left")
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def gallery(mistakes: Sequence[Mistake], title: str, columns: int = 8) -> Figure:
    """The most confident mistakes, in descending order of confidence."""
    rows = max(1, -(-len(mistakes) // columns))
    figure = Figure(figsize=(1.35 * columns, 1.75 * rows + 0.6), layout="constrained")
    figure.suptitle(title if mistakes else f"{title}: none")
    for axes, mistake in zip(
        figure.subplots(rows, columns, squeeze=False).flat, mistakes, strict=False
    ):
        axes.imshow(mistake.image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(
            f"true {mistake.true_label}, predicted"
            f" {mistake.predicted_label}\n{100 * mistake.probability:.1f} %",
            fontsize=8,
        )
        axes.set_xlabel(f"#{mistake.index}", fontsize=7, labelpad=2)
    for axes in figure.axes:
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def filters(weights: Array, title: str, columns: int = 8) -> Figure:
    """Weights of the first layer as pictures, (F, H, W): orange is above zero, purple below, white
    is zero."""
    shown = weights[:MAX_FILTERS]
    rows = -(-len(shown) // columns)
    columns = -(-len(shown) // rows)  # No wider than it has to be: 10 are two rows of 5.
    figure = Figure(figsize=(1.15 * columns + 1, 1.3 * rows + 0.6), layout="constrained")
    more = f", {len(shown)} of {len(weights)}" if len(shown) < len(weights) else ""
    figure.suptitle(f"{title}{more}")
    largest = max(float(np.abs(shown).max()), 1e-9)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (axes, kernel) in enumerate(zip(grid.flat, shown, strict=False)):
        drawn = axes.imshow(kernel, cmap="PuOr_r", vmin=-largest, vmax=largest)
        axes.set_title(str(number), fontsize=7, pad=2)
    figure.colorbar(drawn, ax=grid, shrink=0.8)
    return figure
