"""A report on the terminal."""

import os
import sys

from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from mnist_trainer.report.render.document import (
    Block,
    Document,
    Gallery,
    Matrix,
    Paragraph,
    Table,
    clean,
)

WIDTH_IN_A_FILE = 160
MOST_MISTAKES = 10
STATUS_STYLES = {
    "failed": "red",
    "diverged": "red",
    "interrupted": "yellow",
    "running": "cyan",
    "not started": "yellow",
}


def print_document(document: Document) -> None:
    """Show a report in colour where a person looks, and as plain text where a program reads."""
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character must not end the command.
        sys.stdout.reconfigure(errors="replace")
    plain = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(width=WIDTH_IN_A_FILE if plain else None, highlight=False)
    console.print(Text(clean(document.title), style="bold"))
    console.print(Text(clean(document.subtitle), style="dim"))
    for section in document.sections:
        shown = [each for block in section.blocks if (each := _shown(block)) is not None]
        if shown:
            console.print()
            console.print(Text(section.title, style="bold underline"))
            for each in shown:
                console.print(each)


def _shown(block: Block) -> RenderableType | None:
    """The block; None where a terminal has no way to show it."""
    if isinstance(block, Paragraph):
        return Text(clean(block.text), style="bold" if block.strong else "")
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Matrix):
        size = len(block.names)
        rows = tuple(
            (name, *(str(count) if count else "·" for count in counts))
            for name, counts in zip(block.names, block.counts.tolist(), strict=True)
        )
        return _table(Table(block.caption, ("", *block.names), rows, frozenset(range(1, size + 1))))
    if isinstance(block, Gallery):
        few = block.mistakes[:MOST_MISTAKES]
        rows = tuple(
            (str(m.index), m.truth, m.predicted, f"{100 * m.probability:.1f} %") for m in few
        )
        more = (
            f"{len(block.mistakes) - len(few)} more with --html"
            if len(block.mistakes) > len(few)
            else ""
        )
        return _table(
            Table(
                block.caption,
                ("test image", "truth", "predicted", "probability"),
                rows,
                frozenset(range(4)),
                more,
            )
        )
    return None


def _table(table: Table) -> RenderableType:
    drawn = RichTable(box=None, header_style="dim", pad_edge=False)
    for place, column in enumerate(table.columns):
        drawn.add_column(
            Text(clean(column)),
            justify="right" if place in table.numeric else "left",
            overflow="fold",
        )
    for row in table.rows:
        drawn.add_row(*(Text(clean(cell), style=STATUS_STYLES.get(cell, "")) for cell in row))
    parts: list[RenderableType] = [Text(clean(table.caption), style="italic"), drawn]
    return Group(*parts, Text(clean(table.note), style="dim")) if table.note else Group(*parts)
