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
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Matrix):
        rows = tuple(
            (name, *map(str, counts))
            for name, counts in zip(block.names, block.counts.tolist(), strict=True)
        )
        return _table(
            Table(
                block.caption, ("", *block.names), rows, frozenset(range(1, len(block.names) + 1))
            )
        )
    if isinstance(block, Gallery):
        rows = tuple(
            (str(m.index), m.truth, m.predicted, f"{100 * m.probability:.1f} %")
            for m in block.mistakes
        )
        return _table(
            Table(
                block.caption,
                ("test image", "truth", "predicted", "probability"),
                rows,
                frozenset(range(4)),
            )
        )
    if isinstance(block, Listing):
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", block.text)), default=0))
        lines = "\n".join(map(clean, block.text.rstrip().splitlines()))
        return f"{_text(block.caption)}:\n\n{fence}yaml\n{lines}\n{fence}"
    return ""


def _table(table: Table) -> str:
    marks = ["---:" if place in table.numeric else "---" for place in range(len(table.columns))]
    lines = [
        f"{_text(table.caption)}:",
        "",
        _row(table.columns),
        f"| {' | '.join(marks)} |",
        *map(_row, table.rows),
    ]
    return "\n".join([*lines, "", _text(table.note)] if table.note else lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_text, cells))} |"


def _text(text: str) -> str:
    """Text in which nothing is taken for markup."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", clean(text))
