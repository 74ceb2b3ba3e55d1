"""The report of a comparison of two recipes."""

from functools import partial

from mnist_trainer.report.analysis.comparison import FORMULA, Comparison, Side, p_text
from mnist_trainer.report.analysis.folds import PAIRED_FORMULA, fold_means, repetition
from mnist_trainer.report.analysis.groups import accuracies
from mnist_trainer.report.analysis.statistics import Difference, holm, spread
from mnist_trainer.report.read.records import RunRecord
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
    over = "folds" if comparison.split == "validation" else "seeds"
    verdict = [
        Paragraph(comparison.sentence, strong=True),
        *map(Paragraph, comparison.notes),
    ]
    sections = sections_of(
        {
            "Verdict": verdict,
            f"Over {over}": _over_seeds(comparison),
            "Over test images": _over_images(comparison),
            "Runs": [_runs(a, b)],
        }
    )
    return Document(f"{a.name} and {b.name}", f"comparison: {comparison.verdict}", sections)


def _over_seeds(comparison: Comparison) -> list[Block]:
    sides, split = (("A", comparison.a), ("B", comparison.b)), comparison.split
    over_folds = split == "validation"
    rows = tuple(
        (
            letter,
            side.name,
            spread_text(spread((fold_means if over_folds else accuracies)(side.runs, split))),
            str(len(side.runs)),
            *((side.folds,) if over_folds else ()),
            side.seeds,
        )
        for letter, side in sides
    )
    columns = ("", "recipe", f"{split} accuracy", "n", *(["folds"] if over_folds else []), "seeds")
    draw, over = partial(draw_comparison, comparison), " over folds" if over_folds else ""
    caption = f"{split.capitalize()} accuracy, mean ± standard deviation{over}"
    every = f"{split.capitalize()} accuracy of every {'run' if over_folds else 'seed'}"
    blocks: list[Block] = [
        Picture(every, comparison.sentence, draw),
        Table(caption, columns, rows, frozenset({2, 3})),
    ]
    found = comparison.difference
    if found is None:
        text = "One seed says nothing of the spread between seeds. Train more: mnist-train -m ..."
        return [*blocks, Paragraph(f"{text} 'seed=range(3)'")]
    blocks.append(Paragraph(_interval(found, over_folds=over_folds)))
    if not (found.distinguishable or over_folds) and min(found.a.n, found.b.n) < 5:
        text = "More seeds narrow the interval: mnist-train -m ... 'seed=range(5)'"
        blocks.append(Paragraph(text))
    return blocks


def _interval(found: Difference, *, over_folds: bool) -> str:
    """The interval of the difference, how it was computed, and what it is about."""
    value = (
        f"B - A = {100 * found.value:+.2f} percentage points, 95 % interval {100 * found.low:+.2f}"
        f" to {100 * found.high:+.2f} (df = {found.degrees:.4g}, p = {p_text(found.p)})."
    )
    if over_folds:
        return (
            f"{value} The interval is {PAIRED_FORMULA}. Folds share training images, so 1/k is"
            " corrected by n_test/n_train (Nadeau and Bengio 2003). Runs are paired by fold and"
            " seed where both sides have the seed; seeds of a fold are averaged first. It is about"
            " other training and validation images; the verdict is whether it leaves out zero."
        )
    return (
        f"{value} The interval is {FORMULA} (Welch's t). It is about other seeds on these same test"
        " images; the verdict is whether it leaves out zero."
    )


def _over_images(comparison: Comparison) -> list[Block]:
    if not comparison.pairs:
        return []
    adjusted = holm([pair.test.p for pair in comparison.pairs])
    rows = tuple(
        (
            _repetition(pair.a),
            _repetition(pair.b),
            f"{pair.test.only_a:,}",
            f"{pair.test.only_b:,}",
            p_text(pair.test.p),
            p_text(p),
        )
        for pair, p in zip(comparison.pairs, adjusted, strict=True)
    )
    images = comparison.pairs[0].a.test.images if comparison.pairs[0].a.test else 0
    over = "seed" if comparison.split == "test" else "run"
    columns = (
        f"{over} of A",
        f"{over} of B",
        "only A right",
        "only B right",
        "exact p",
        "p by Holm",
    )
    note = (
        f"McNemar's exact test on {counted(images, 'image')}, for pairs of single runs in the order"
        " of their seeds. It compares these sets of weights; it cannot tell whether other seeds"
        " would come out alike, so the verdict does not rest on it."
    )
    return [Table("Image by image", columns, rows, frozenset(range(6)), note)]


def _repetition(run: RunRecord) -> str:
    """The seed; over folds, fold and seed."""
    return repetition(run).removeprefix("seed ")


def _runs(a: Side, b: Side) -> Table:
    rows = tuple(
        (
            letter,
            run.path,
            _repetition(run),
            accuracy_text(run.test),
            interval_text(run.test),
        )
        for letter, side in (("A", a), ("B", b))
        for run in side.runs
    )
    columns = ("side", "run", "seed", "test", "95 % interval over images")
    return Table("Runs that were compared", columns, rows, frozenset({2, 3, 4}))
