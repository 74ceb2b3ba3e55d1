"""A report on the terminal."""

import os
import sys

from rich.console import Group, RenderableType
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
from mnist_trainer.system.console import make_console, make_table

WIDTH_IN_A_FILE = 160
MOST_MISTAKES = 10
STATUS_STYLES = {
    "failed": "red",
    "diverged": "red",
    "alarm": "red",
    "different": "red",
    "interrupted": "yellow",
    "running": "cyan",
    "not started": "yellow",
}


def print_document(document: Document) -> None:
    """Print a report: in colour on a terminal, else as plain text of a fixed width."""
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the terminal cannot show must not end the command.
        sys.stdout.reconfigure(errors="replace")
    plain = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = make_console(WIDTH_IN_A_FILE if plain else None)
    console.print(Text(clean(document.title), style="bold"))
    console.print(Text(clean(document.subtitle), style="dim"))
    for section in document.sections:
        shown = [each for block in section.blocks if (each := _shown(block)) is not None]
        if shown:
            console.print()
            console.print(Text(section.title, style="bold underline"), *shown, sep="\n")


def _shown(block: Block) -> RenderableType | None:
    """The block; None where a terminal cannot show it."""
    if isinstance(block, Paragraph):
        return Text(clean(block.text), style="bold" if block.strong else "")
    if isinstance(block, Gallery):
        more = len(block.mistakes) - MOST_MISTAKES
        note = f"{more} more with --html" if more > 0 else ""
        return _table(block.as_table(MOST_MISTAKES, note))
    if isinstance(block, Matrix):
        return _table(block.as_table(zero="·"))
    return _table(block) if isinstance(block, Table) else None


def _table(table: Table) -> RenderableType:
    drawn = make_table(*(Text(clean(name)) for name in table.columns), numeric=table.numeric)
    for row in table.rows:
        drawn.add_row(*(Text(clean(cell), style=STATUS_STYLES.get(cell, "")) for cell in row))
    parts: list[RenderableType] = [Text(clean(table.caption), style="italic"), drawn]
    return Group(*parts, Text(clean(table.note), style="dim")) if table.note else Group(*parts)
