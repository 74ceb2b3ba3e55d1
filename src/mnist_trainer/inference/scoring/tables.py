"""Print an evaluation: rich tables in a terminal, plain lines elsewhere."""

import sys
from collections.abc import Sequence

from mnist_trainer.inference.scoring.evaluation_result import EvaluationResult
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.system.console import make_console, make_table, printable

Row = Sequence[str]
MAX_COLUMNS = 12
"""Classes whose confusion matrix fits a terminal; of more only the most frequent mistakes are
shown."""
MAX_CONFUSIONS = 10


def show(scored: EvaluationResult) -> None:
    """Print the evaluation."""
    summary: list[Row] = [(f"{name}:", value) for name, value in summarize(scored)]
    tables: list[tuple[str, list[Row], bool]] = [
        ("", summary, False),
        ("By class", list(class_rows(scored)), True),
    ]
    if len(scored.class_names) <= MAX_COLUMNS:
        title = "Confusion: true label down, predicted label across"
        tables.append((title, list(confusion_rows(scored)), True))
    tables.append(("Most frequent mistakes", list(mistake_rows(scored)), True))
    rich = sys.stdout.isatty()
    for title, rows, has_head in tables:
        if rich:
            print_rich(title, rows, has_head)
        else:
            print_plain(title, rows)


def summarize(scored: EvaluationResult) -> list[tuple[str, str]]:
    """The numbers of the whole split, name and value."""
    metrics, scores, checkpoint = scored.metrics, scored.scores, scored.trained.checkpoint
    low, high = (100 * bound for bound in wilson_interval(metrics.correct, metrics.count))
    views = ", ".join(
        f"{count}: {100 * correct / metrics.count:.2f} %"
        for count, correct in scored.by_views.items()
    )
    used = (
        "one view of each image"
        if scored.trained.translations == 1
        else f"{scored.trained.translations} views averaged"
    )
    rows = [
        (
            "checkpoint",
            f"{display_path(checkpoint.path)}, epoch {checkpoint.epoch}, step {checkpoint.step:,}",
        ),
        ("images", f"{scored.data} {scored.split}, {metrics.count:,}, {used}"),
        (
            "accuracy",
            (
                f"{100 * metrics.accuracy:.2f} % (95 % interval {low:.2f} to {high:.2f}),"
                f" {metrics.correct:,} correct"
            ),
        ),
        *part_rows(scored),
        ("loss", f"{metrics.loss:.4f}"),
        ("top 2", f"{100 * scores.top2 / scores.count:.2f} %"),
        ("calibration", f"expected error {scores.calibration.error:.4f}"),
        ("shifted views", f"accuracy averaged over {views}"),
    ]
    return rows + [("note", note) for note in scored.notes]


def part_rows(scored: EvaluationResult) -> list[tuple[str, str]]:
    """The accuracy of each part that is told apart."""
    rows = []
    for name, (correct, images) in scored.parts().items():
        low, high = (100 * bound for bound in wilson_interval(correct, images))
        interval = f"95 % interval {low:.2f} to {high:.2f}"
        text = f"{100 * correct / images:.2f} % ({interval}), {correct:,} of {images:,}"
        rows.append((f"{name} images", text))
    return rows


def class_rows(scored: EvaluationResult) -> list[Row]:
    """A head, then precision, recall, F1 and number of images of each class, in percent."""
    scores = scored.scores
    columns = zip(
        scored.class_names, scores.precision, scores.recall, scores.f1, scores.support, strict=True
    )
    rows = [
        (name, f"{100 * p:.2f}", f"{100 * r:.2f}", f"{100 * f:.2f}", f"{n:,}")
        for name, p, r, f, n in columns
    ]
    return [("class", "precision", "recall", "F1", "images"), *rows]


def confusion_rows(scored: EvaluationResult) -> list[Row]:
    """Head and rows of the confusion matrix; a dot is 0."""
    short = [name[:6] for name in scored.class_names]
    rows = [
        (name, *(f"{n}" if n else "·" for n in row))
        for name, row in zip(short, scored.scores.confusion.tolist(), strict=True)
    ]
    return [("", *(name[:6] for name in scored.trained.class_names)), *rows]


def mistake_rows(scored: EvaluationResult) -> list[Row]:
    """A head, then the pairs of classes that were confused most often."""
    predicted_names = scored.trained.class_names
    pairs = [
        (count, scored.class_names[true], predicted_names[predicted])
        for true, row in enumerate(scored.scores.confusion.tolist())
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    pairs.sort(key=lambda pair: -pair[0])
    return [
        ("true label", "predicted label", "images"),
        *((true, predicted, f"{count:,}") for count, true, predicted in pairs[:MAX_CONFUSIONS]),
    ]


def print_rich(title: str, rows: list[Row], has_head: bool) -> None:
    """Print a table in colour; the diagonal of a confusion matrix is bold."""
    from rich.text import Text

    head, body = (rows[0], rows[1:]) if has_head else (("", ""), rows)
    table = make_table(
        *(Text(printable(name)) for name in head), numeric=range(1, len(head)) if has_head else ()
    )
    table.title, table.title_justify, table.title_style = title or None, "left", "bold"
    diagonal = title.startswith("Confusion")
    for number, row in enumerate(body, start=1):
        cells = [Text(printable(cell)) for cell in row]
        if diagonal:
            cells[number].stylize("bold")
        table.add_row(*cells)
    make_console().print(table)
    print()


def print_plain(title: str, rows: list[Row]) -> None:
    """Print a table as text; with a title, all columns but the first are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [title] if title else []
    for row in rows:
        cells = [
            cell.rjust(width) if title and column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    print(printable("\n".join([*lines, ""])), flush=True)
