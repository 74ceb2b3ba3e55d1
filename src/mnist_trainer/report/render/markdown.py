"""A report as Markdown: tables in the dialect of GitHub, no HTML."""

import re

from mnist_trainer.report.render.document import (
    Block,
    Document,
    Gallery,
    Listing,
    Matrix,
    Paragraph,
    Table,
    clean,
)


def markdown(document: Document) -> str:
    """The whole report; pictures are left out."""
    parts = [f"# {_text(document.title)}", _text(document.subtitle)]
    for section in document.sections:
        blocks = [shown for block in section.blocks if (shown := _block(block))]
        if blocks:
            parts += [f"## {_text(section.title)}", *blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"**{_text(block.text)}**" if block.strong else _text(block.text)
    if isinstance(block, Matrix | Gallery):
        return _table(block.as_table())
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Listing):
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        lines = "\n".join(map(clean, block.text.rstrip().splitlines()))
        return f"{_text(block.caption)}:\n\n{fence}{block.language}\n{lines}\n{fence}"
    return ""


def _table(table: Table) -> str:
    marks = ["---:" if place in table.numeric else "---" for place in range(len(table.columns))]
    lines = [f"{_text(table.caption)}:", "", _row(table.columns), f"| {' | '.join(marks)} |"]
    lines += map(_row, table.rows)
    return "\n".join([*lines, "", _text(table.note)] if table.note else lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _text(text: str) -> str:
    """Text with every character escaped that Markdown takes for markup."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", clean(text))
