"""A report as one HTML file that needs nothing besides itself: styles and pictures are inside, and
no scripts."""

import base64
import io
from html import escape as escape_html
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.report.render.document import (
    Block,
    Document,
    Gallery,
    Listing,
    Matrix,
    Mistake,
    Paragraph,
    Picture,
    Table,
    clean,
)
from mnist_trainer.system.version import __version__

# Even if something slipped through: the page may load nothing, run nothing and send nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SHORT = 34
"""Characters of a cell that is kept on one line."""
STATES = (
    "completed",
    "failed",
    "diverged",
    "unreadable",
    "interrupted",
    "running",
    "not started",
    "best",
)


def page(document: Document) -> str:
    """The whole file.

    Raises:
        MachineError: matplotlib is not installed.
    """
    style = (resources.files("mnist_trainer.report.render") / "style.css").read_text(
        encoding="utf-8"
    )
    anchors = [f"s{place}" for place in range(len(document.sections))]
    links = " ".join(
        f'<a href="#{a}">{_text(s.title)}</a>'
        for a, s in zip(anchors, document.sections, strict=True)
    )
    sections = "\n".join(
        f'<section aria-labelledby="{a}">\n<h2'
        f' id="{a}">{_text(s.title)}</h2>\n{"".join(map(_block, s.blocks))}</section>'
        for a, s in zip(anchors, document.sections, strict=True)
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="mnist-report {__version__}">
<title>{_text(document.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{_text(document.title)}</h1>
<p class="subtitle">{_text(document.subtitle)}</p>
<nav aria-label="Sections">{links}</nav>
</header>
<main>
{sections}
</main>
<footer>Made by mnist-report {__version__}. Everything is in this file.</footer>
</body>
</html>
"""


def _text(text: object) -> str:
    return escape_html(clean(text))


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f'<p class="{"strong" if block.strong else "plain"}">{_text(block.text)}</p>\n'
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Matrix):
        return _matrix(block)
    if isinstance(block, Gallery):
        return (
            f'<p class="note">{_text(block.caption)}</p>\n<ul'
            f' class="gallery">{"".join(map(_mistake, block.mistakes))}</ul>\n'
        )
    if isinstance(block, Picture):
        return f"<figure>{block.draw(clean(block.alt))}<figcaption>{_text(block.caption)}</figcaption></figure>\n"
    return _listing(block)


def _listing(listing: Listing) -> str:
    """The one text whose lines are kept."""
    lines = "\n".join(map(_text, listing.text.splitlines()))
    return f"<details><summary>{_text(listing.caption)}</summary><pre>{lines}</pre></details>\n"


def _table(table: Table) -> str:
    def cell(place: int, text: str) -> str:
        kinds = ["number"] if place in table.numeric else []
        kinds += ["short"] if len(text) <= SHORT else []
        kinds += [text.replace(" ", "-")] if text in STATES else []
        kind = f' class="{" ".join(kinds)}"' if kinds else ""
        return (
            f'<th scope="row"{kind}>{_text(text)}</th>'
            if place == 0
            else f"<td{kind}>{_text(text)}</td>"
        )

    numbers = [
        'class="number" ' if place in table.numeric else "" for place in range(len(table.columns))
    ]
    head = "".join(
        f'<th {kind}scope="col">{_text(name)}</th>'
        for kind, name in zip(numbers, table.columns, strict=True)
    )
    rows = "\n".join(
        f"<tr>{''.join(cell(*each) for each in enumerate(row))}</tr>" for row in table.rows
    )
    note = f'<p class="note">{_text(table.note)}</p>\n' if table.note else ""
    caption = f"<caption>{_text(table.caption)}</caption>"
    return (
        "<div"
        f' class="scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>\n{note}'
    )


def _matrix(matrix: Matrix) -> str:
    """A table whose cells are the more filled the more images they hold; mistakes and right answers
    each on their own scale."""
    counts = matrix.counts
    diagonal = np.eye(len(counts), dtype=bool)
    most_wrong, most_right = (
        max(1, counts[~diagonal].max(initial=0)),
        max(1, counts[diagonal].max(initial=0)),
    )

    def cell(row: int, column: int) -> str:
        count, right = int(counts[row, column]), row == column
        if not count:
            return '<td class="none">0</td>'
        share = 12 + (25 if right else 55) * count / (most_right if right else most_wrong)
        color = f"color-mix(in srgb, var(--series-{0 if right else 1}) {share:.0f}%, transparent)"
        return (
            f'<td class="{"right" if right else "wrong"}" style="background:{color}">{count}</td>'
        )

    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in matrix.names)
    rows = "\n".join(
        "<tr><th"
        f' scope="row">{_text(name)}</th>{"".join(cell(row, column) for column in range(len(counts)))}</tr>'
        for row, name in enumerate(matrix.names)
    )
    return (
        f'<div class="scroll"><table class="confusion"><caption>{_text(matrix.caption)}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>\n"
    )


def _mistake(mistake: Mistake) -> str:
    said = f"test image {mistake.index}: {mistake.truth}, taken for {mistake.predicted}"
    picture = (
        ""
        if mistake.image is None
        else f'<img alt="{_text(said)}" src="data:image/png;base64,{_png(mistake.image)}">'
    )
    return (
        f'<li class="mistake">{picture}<b>{_text(mistake.truth)}</b> taken for'
        f" <b>{_text(mistake.predicted)}</b><span>{100 * mistake.probability:.1f} %"
        f" sure</span><span>image {mistake.index}</span></li>"
    )


def _png(image: NDArray[np.uint8]) -> str:
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG", optimize=True)
    return base64.b64encode(packed.getvalue()).decode()
