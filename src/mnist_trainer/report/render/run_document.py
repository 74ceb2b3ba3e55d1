"""The report of one run."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mnist_trainer.errors import DataError
from mnist_trainer.report.read.card import card_of, measures
from mnist_trainer.report.read.images import images_of
from mnist_trainer.report.read.records import RunRecord, shown
from mnist_trainer.report.render.card_summary import measure_table
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Gallery,
    Listing,
    Matrix,
    Mistake,
    Paragraph,
    Picture,
    Table,
    headline,
    interval_text,
    percent,
    rows_of,
    seconds_text,
    sections_of,
)
from mnist_trainer.report.render.plots import draw_curves
from mnist_trainer.report.render.run_details import by_class, calibration, film, network
from mnist_trainer.runs.metric_records import MetricRecord
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.messages import counted

WORST = 24
MAIN_SETTINGS = (
    "seed",
    "data.name",
    "data.validation_size",
    "data.folds",
    "data.fold",
    "model._target_",
    "loss._target_",
    "optimizer._target_",
    "optimizer.lr",
    "scheduler._target_",
    "trainer.epochs",
    "trainer.batch_size",
)


def run_document(run: RunRecord, *, with_images: bool) -> Document:
    """The report of one run.

    Args:
        with_images: show the worst mistakes as pictures, for which the data set is read.
    """
    sections = sections_of(
        {
            "Result": _result(run),
            "Curves": _curves(run) if run.metrics else [],
            "Network": network(run),
            "Film": film(run),
            "Mistakes": _mistakes(run, with_images),
            "Calibration": calibration(run),
            "Evaluation card": _card(run),
            "Configuration": _configuration(run),
            "Environment": [_environment(run.environment)] if run.environment else [],
        }
    )
    return Document(run.recipe, run.path, sections)


def _card(run: RunRecord) -> list[Block]:
    card = card_of(run)
    return [] if card is None else [measure_table(measures(card))]


def _result(run: RunRecord) -> list[Block]:
    message = f": {run.message}" if run.message else ""
    blocks: list[Block] = []
    if run.test:
        about = f"test accuracy, 95 % interval {interval_text(run.test)}"
        blocks.append(headline(percent(run.test.accuracy), about))
    blocks.append(Paragraph(f"{run.status}{message}", strong=not run.test))
    if run.status == "interrupted":
        blocks.append(Paragraph(f"Go on with: mnist-train resume={run.path}"))
    blocks += [Paragraph(note) for note in run.notes]
    if run.test or run.validation:
        blocks.append(_scores(run))
    facts = rows_of(_facts(run))
    return [*blocks, Table("Facts", ("what", "value"), facts)] if facts else blocks


def _scores(run: RunRecord) -> Table:
    rows = tuple(
        (
            split,
            percent(score.accuracy),
            interval_text(score),
            DASH if score.loss is None else f"{score.loss:.4f}",
            f"{score.correct:,}",
            f"{score.images:,}",
        )
        for split, score in (("test", run.test), ("validation", run.validation))
        if score
    )
    note = "Nothing was held out for validation: the test images were scored after each epoch."
    return Table(
        "Scores, with Wilson's 95 % interval over images",
        ("split", "accuracy", "95 % interval", "loss", "right", "images"),
        rows,
        frozenset(range(1, 6)),
        "" if run.validation else note,
    )


def _facts(run: RunRecord) -> list[tuple[str, object]]:
    result, parameters = run.result, run.result.get("parameters")
    spent = ", ".join(
        f"{purpose} {seconds_text(seconds)}"
        for purpose in ("setup", "train", "eval")
        if (seconds := run.seconds(purpose)) is not None
    )
    return [
        ("epochs", result.get("epochs")),
        ("tested after epoch", result.get("tested_epoch")),
        ("updates", result.get("steps")),
        ("seed", run.seed),
        ("parameters", f"{parameters:,}" if isinstance(parameters, int) else None),
        ("time", f"{seconds_text(run.seconds('total'))}: {spent}" if spent else None),
        ("weights SHA-256", run.weights),
        ("resumed from", result.get("resumed_from")),
    ]


def _curves(run: RunRecord) -> list[Block]:
    epochs: dict[int, dict[str, MetricRecord]] = {}
    for point in run.metrics:
        if point.kind == "epoch":
            epochs.setdefault(point.epoch, {})[point.split] = point
    held_out = "validation" if any("validation" in points for points in epochs.values()) else "test"
    rows = tuple(
        (
            str(epoch),
            *(
                _cell(points.get(split), name)
                for split in ("train", held_out)
                for name in ("loss", "accuracy")
            ),
        )
        for epoch, points in sorted(epochs.items())
    )
    columns = ("epoch", "train loss", "train accuracy", f"{held_out} loss", f"{held_out} accuracy")
    alt = f"Loss and accuracy of {run.recipe} by epoch"
    if rows:
        pairs = zip(columns[1:], rows[-1][1:], strict=True)
        alt += f"; after epoch {rows[-1][0]}: {', '.join(f'{k} {v}' for k, v in pairs)}"
    picture = Picture(
        "Loss and accuracy; the thin line is the mean since the last interval",
        alt,
        partial(draw_curves, run),
    )
    return [picture, Table("Epochs", columns, rows, frozenset(range(5)))] if rows else [picture]


def _cell(point: MetricRecord | None, name: str) -> str:
    if point is None:
        return DASH
    if name == "accuracy":
        return percent(point.accuracy)
    return DASH if point.loss is None else f"{point.loss:.4f}"


def _mistakes(run: RunRecord, with_images: bool) -> list[Block]:
    try:
        predictions = run.predictions()
    except DataError as error:
        return [Paragraph(str(error))]
    if predictions is None:
        why = (
            "this run was made by an older version"
            if run.completed
            else "they are saved at the end of a run"
        )
        return [Paragraph(f"No predictions.npz in the run folder: {why}.")]
    counts = predictions.confusion()
    names = tuple(predictions.name_of(label) for label in range(len(counts)))
    title = (
        f"Confusion matrix of {counted(len(predictions), 'test image')}: true label in rows,"
        " predicted label in columns"
    )
    blocks: list[Block] = [by_class(predictions), Matrix(title, names, counts)]
    wrong = int((~predictions.right).sum())
    if not wrong:
        return blocks
    images, note = images_of(run, predictions) if with_images else (None, "")
    if note:
        blocks.append(Paragraph(note))
    shown = min(wrong, WORST)
    caption = f"The {shown} of {counted(wrong, 'mistake')} with the highest predicted probability"
    caption = "The only mistake" if wrong == 1 else caption
    return [*blocks, Gallery(caption, _worst(predictions, images))]


def _worst(predictions: Predictions, images: Any) -> tuple[Mistake, ...]:
    return tuple(
        Mistake(
            int(index),
            predictions.name_of(int(predictions.truth[index])),
            predictions.name_of(int(predictions.predicted[index])),
            float(predictions.probability[index]),
            None if images is None else images[index],
        )
        for index in predictions.worst(WORST)
    )


def _configuration(run: RunRecord) -> list[Block]:
    typed = tuple(pair for pair in run.overrides.items() if not pair[0].startswith("hydra."))
    values = ((key, run.config.get(key)) for key in MAIN_SETTINGS)
    main = tuple((key, shown(value)) for key, value in values if value is not None)
    blocks: list[Block] = [
        Table("Settings of the command line", ("setting", "value"), typed)
        if typed
        else Paragraph("Nothing was set: all defaults.")
    ]
    if main:
        blocks.append(Table("The main settings", ("setting", "value"), main))
    text = run.config_text()
    return [*blocks, Listing("config.yaml, every setting", text)] if text else blocks


def _environment(environment: Mapping[str, Any]) -> Table:
    def joined(key: str, form: str) -> object:
        values = environment.get(key)
        if not isinstance(values, dict):
            return values
        return ", ".join(form.format(k, str(v)) for k, v in values.items() if v)

    command = environment.get("command")
    pairs = [
        ("command", " ".join(map(str, command)) if isinstance(command, list) else command),
        ("device", joined("device", "{1}")),
        ("python", environment.get("python")),
        ("platform", environment.get("platform")),
        ("packages", joined("packages", "{} {}")),
        ("git revision", environment.get("git_revision")),
        ("data hashes", joined("data_sha256", "{} {:.12}…")),
    ]
    return Table("Hardware and software", ("what", "value"), rows_of(pairs))
