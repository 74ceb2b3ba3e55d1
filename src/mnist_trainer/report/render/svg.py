"""Figures as SVG elements that take their colours from the page, for light and dark.

Matplotlib draws with placeholder colours; each is replaced by a CSS variable of the page.
"""

import io
import itertools
import re
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import quote, unquote

from mnist_trainer.report.render.document import clean

NUM_SERIES = 7
NUM_LEVELS = 5
INK, MUTED, GRID, SURFACE = "#010101", "#010102", "#010103", "#010104"
SERIES = tuple(f"#0201{number:02x}" for number in range(NUM_SERIES))
"""The palette of Okabe and Ito for any colour vision; see the style sheet."""
LEVELS = tuple(f"#0301{number:02x}" for number in range(NUM_LEVELS))
"""From the least to the most."""
VARIABLES = {
    INK: "--ink", MUTED: "--muted", GRID: "--line", SURFACE: "--surface",
    **{color: f"--series-{number}" for number, color in enumerate(SERIES)},
    **{color: f"--level-{number}" for number, color in enumerate(LEVELS)},
}  # fmt: skip
WIDTH = 9.2
"""Inches of the widest figure: 883 pixels of the page."""
LOOK: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "report", "text.parse_math": False,
    "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10.5,
    "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.edgecolor": MUTED,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.7, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.titlelocation": "left", "axes.titlepad": 10, "axes.formatter.useoffset": False,
    "axes.facecolor": "none", "figure.facecolor": "none",
    "figure.constrained_layout.use": True, "lines.linewidth": 1.8, "lines.markersize": 4.5,
}  # fmt: skip
"""Settings of matplotlib for every figure of a report."""
_numbers = itertools.count(1)


def hover(*texts: str) -> str:
    """The ``gid`` of an artist that shows a text for each of its markers, or one for all of it."""
    return "hover:" + quote("\n".join(map(clean, texts)), safe="")


def _add_titles(body: str) -> str:
    """The SVG with the texts of ``hover`` as titles, which a reader sees under the pointer."""
    head, *parts = re.split(r'<g id="hover:([^"]*)">', body)
    for encoded, rest in zip(parts[::2], parts[1::2], strict=True):
        titles = [f"<title>{escape(text)}</title>" for text in unquote(encoded).split("\n")]
        inside, end, after = rest.partition("</g>")
        if len(titles) > 1 and inside.count("<use ") == len(titles):
            start, *marks = re.split(r"(?=<use )", inside)
            pairs = zip(marks, titles, strict=True)
            marked = (mark.replace("/>", f">{title}</use>", 1) for mark, title in pairs)
            inside, titles = start + "".join(marked), []
        head += "<g>" + "".join(titles[:1]) + inside + end + after
    return head


def svg(draw: Callable[[Any], None], alt: str) -> str:
    """Draw a figure in the report's style, as an SVG element.

    Text stays text in the SVG, and none is read as a formula.

    Args:
        draw: draws on a matplotlib figure, whose size it sets.
        alt: text alternative.
    """
    import matplotlib
    from matplotlib.figure import Figure

    written = io.StringIO()
    with matplotlib.rc_context(LOOK):
        figure = Figure()
        draw(figure)
        figure.savefig(written, format="svg", metadata={"Date": None})
    text = written.getvalue()
    body = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    prefix = f"f{next(_numbers)}-"
    body = _add_titles(body)
    body = re.sub(r"<[^>]+>", lambda tag: _fit(tag[0], prefix), body)
    width, height = (72 * inches for inches in figure.get_size_inches())
    head = (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{4 / 3 * width:.0f}" role="img"'
        f' aria-label="{escape(alt)}">'
    )
    return f"{head}{body.strip()}</svg>"


def _fit(tag: str, prefix: str) -> str:
    """A tag with the page's colours and font, and with ids that are unique on the page."""
    for color, variable in VARIABLES.items():
        tag = tag.replace(color, f"var({variable})")
    tag = re.sub(r"(font: [^;\"']*)'DejaVu Sans'[^;\"]*", r"\1var(--font)", tag)
    tag = re.sub(r'(\sid="|url\(#|href="#)', lambda found: found[1] + prefix, tag)
    return tag.replace("xlink:href", "href")
