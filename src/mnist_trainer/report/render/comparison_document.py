"""The report of a comparison of two recipes."""

from functools import partial

from mnist_trainer.report.analysis.comparison import FORMULA, Comparison, Side, p_text
from mnist_trainer.report.analysis.groups import accuracies
from mnist_trainer.report.analysis.statistics import holm, spread
from mnist_trainer.report.render.document import (
    Block,
    Document,
    Paragraph,
    Picture,
    Table,
    accuracy_text,
    interval_text,
    sections_of,
    spread_text,
)
from mnist_trainer.report.render.plots import draw_comparison
from mnist_trainer.system.messages import counted


def comparison_document(comparison: Comparison) -> Document:
    """The verdict, the interval over seeds it rests on, then the tests over images."""
    a, b = comparison.a, comparison.b
    verdict = [
        Paragraph(comparison.sentence, strong=True),
        *map(Paragraph, comparison.notes),
    ]
    sections = sections_of(
        {
            "Verdict": verdict,
            "Over seeds": _over_seeds(comparison),
            "Over test images": _over_images(comparison),
            "Runs": [_runs(a, b)],
        }
    )
    return Document(f"{a.name} and {b.name}", f"comparison: {comparison.verdict}", sections)


def _over_seeds(comparison: Comparison) -> list[Block]:
    sides = (("A", comparison.a), ("B", comparison.b))
    rows = tuple(
        (
            letter,
            side.name,
            spread_text(spread(accuracies(side.runs, "test"))),
            str(len(side.runs)),
            side.seeds,
        )
        for letter, side in sides
    )
    columns = ("", "recipe", "test accuracy", "n", "seeds")
    draw = partial(draw_comparison, comparison)
    blocks: list[Block] = [
        Picture("Test accuracy of every seed", comparison.sentence, draw),
        Table("Test accuracy, mean ± standard deviation", columns, rows, frozenset({2, 3})),
    ]
    found = comparison.difference
    if found is None:
        text = "One seed says nothing of the spread between seeds. Train more: mnist-train -m ..."
        return [*blocks, Paragraph(f"{text} 'seed=range(3)'")]
    text = (
        f"B - A = {100 * found.value:+.2f} percentage points, 95 % interval {100 * found.low:+.2f}"
        f" to {100 * found.high:+.2f} (df = {found.degrees:.1f}, p = {p_text(found.p)}). The"
        f" interval is {FORMULA} (Welch's t). It is about other seeds on these same test images;"
        " the verdict is whether it leaves out zero."
    )
    blocks.append(Paragraph(text))
    if not found.distinguishable and min(found.a.n, found.b.n) < 5:
        text = "More seeds narrow the interval: mnist-train -m ... 'seed=range(5)'"
        blocks.append(Paragraph(text))
    return blocks


def _over_images(comparison: Comparison) -> list[Block]:
    if not comparison.pairs:
        return []
    adjusted = holm([pair.test.p for pair in comparison.pairs])
    rows = tuple(
        (
            f"{pair.a.seed}",
            f"{pair.b.seed}",
            f"{pair.test.only_a:,}",
            f"{pair.test.only_b:,}",
            p_text(pair.test.p),
            p_text(p),
        )
        for pair, p in zip(comparison.pairs, adjusted, strict=True)
    )
    images = comparison.pairs[0].a.test.images if comparison.pairs[0].a.test else 0
    columns = ("seed of A", "seed of B", "only A right", "only B right", "exact p", "p by Holm")
    note = (
        f"McNemar's exact test on {counted(images, 'image')}, for pairs of single runs in the order"
        " of their seeds. It compares these sets of weights; it cannot tell whether other seeds"
        " would come out alike, so the verdict does not rest on it."
    )
    return [Table("Image by image", columns, rows, frozenset(range(6)), note)]


def _runs(a: Side, b: Side) -> Table:
    rows = tuple(
        (
            letter,
            run.path,
            str(run.seed),
            accuracy_text(run.test),
            interval_text(run.test),
        )
        for letter, side in (("A", a), ("B", b))
        for run in side.runs
    )
    columns = ("side", "run", "seed", "test", "95 % interval over images")
    return Table("Runs that were compared", columns, rows, frozenset({2, 3, 4}))
