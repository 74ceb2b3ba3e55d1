"""The report of a comparison of two machines."""

from mnist_trainer.report.analysis.passport_comparison import PassportComparison
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Paragraph,
    Table,
    sections_of,
)
from mnist_trainer.report.render.passport_document import MADE_BY, amount


def passport_comparison_document(comparison: PassportComparison) -> Document:
    """Sentences, then figures and facts beside each other."""
    sentences: list[Block] = [
        Paragraph(sentence, strong=not place) for place, sentence in enumerate(comparison.sentences)
    ]
    figures = tuple(
        (
            f"{figure.name}, {figure.unit}",
            amount(figure.a),
            amount(figure.b),
            DASH if figure.quicker is None else f"{figure.quicker:.2f}",
        )
        for figure in comparison.figures
        if figure.a is not None or figure.b is not None
    )
    columns = ("measured", "A", "B", "B is so many times as quick")
    tables: list[Block] = [Table("Speed", columns, figures, frozenset({1, 2, 3}))]
    if comparison.differences:
        facts = Table("What differs", ("", "A", "B"), comparison.differences)
        tables.append(facts)
    a, b = comparison.names
    sections = sections_of({"Verdict": sentences, "Beside each other": tables})
    return Document(f"{a} and {b}", "passports of two machines, A and B", sections, MADE_BY)
