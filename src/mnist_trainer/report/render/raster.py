"""Figures of a report as pixels, for PNG files and TensorBoard: light colours on white."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.report.render.svg import GRID, INK, LEVELS, LOOK, MUTED, SERIES, SURFACE

DPI = 130
PALETTE = {
    INK: "#1c2128", MUTED: "#59636e", GRID: "#dde1e6", SURFACE: "#ffffff",
    **dict(zip(SERIES, ("#0072b2", "#c04f00", "#00805c", "#b0528b", "#9c6b00", "#2b86bd",
                        "#4b4b4b"), strict=True)),
    **dict(zip(LEVELS, ("#b9d3ea", "#86b4dc", "#4a8fc9", "#1a66a8", "#0a3f73"), strict=True)),
}  # fmt: skip
"""The light colours of the style sheet, by what stands for them in a figure."""
PROPERTIES = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def pixels(draw: Callable[[Any], None]) -> NDArray[np.uint8]:
    """Draw a figure in the report's style: uint8, (H, W, 3).

    Args:
        draw: draws on a matplotlib figure, whose size it sets.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**LOOK, "figure.facecolor": "white"}):
        figure = Figure(dpi=DPI)
        canvas: Any = FigureCanvasAgg(figure)
        draw(figure)
        # Ticks are made by drawing.
        figure.draw_without_rendering()
        for artist in figure.findobj():
            _recolor(artist)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _recolor(artist: Any) -> None:
    """Replace the placeholders among the colours of an artist."""
    for name in PROPERTIES:
        get, put = (getattr(artist, f"{verb}_{name}", None) for verb in ("get", "set"))
        if get is None or put is None:
            continue
        found = get()
        if isinstance(found, np.ndarray) and found.ndim == 2:
            put([_replaced(each) for each in found])
        elif isinstance(found, str | tuple | np.ndarray):
            put(_replaced(found))


def _replaced(color: Any) -> Any:
    """The colour, or the one that it stands for, with its own opacity."""
    from matplotlib.colors import to_hex, to_rgba

    if isinstance(color, str) and color in ("none", "auto"):
        return color
    meant = PALETTE.get(to_hex(color))
    return color if meant is None else to_rgba(meant, to_rgba(color)[3])
