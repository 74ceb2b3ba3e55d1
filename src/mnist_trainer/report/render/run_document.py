"""The report of one run."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from mnist_trainer.errors import DataError
from mnist_trainer.report.read.images import images_of
from mnist_trainer.report.read.records import Point, RunRecord, shown
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
    Section,
    Table,
    interval_text,
    percent,
    rows_of,
    seconds_text,
)  # fmt: skip
from mnist_trainer.report.render.plots import draw_curves
from mnist_trainer.runs.predictions import Predictions
from mnist_trainer.system.messages import counted

WORST = 24


def run_document(run: RunRecord, *, with_images: bool) -> Document:
    """All that there is to say of a run.

    Args:
        with_images: show the worst mistakes as pictures, for which the data set is read.
    """
    sections = [Section("Result", tuple(_result(run)))]
    if run.points:
        sections.append(Section("Curves", tuple(_curves(run))))
    sections.append(Section("Mistakes", tuple(_mistakes(run, with_images))))
    sections.append(Section("Configuration", tuple(_configuration(run))))
    if run.environment:
        sections.append(Section("Environment", (_environment(run.environment),)))
    return Document(run.recipe, run.path, tuple(sections))


def _result(run: RunRecord) -> list[Block]:
    blocks: list[Block] = [
        Paragraph(f"{run.status}{f': {run.message}' if run.message else ''}", strong=True)
    ]
    if run.status == "interrupted":
        blocks.append(Paragraph(f"Go on with: mnist-train resume={run.path}"))
    blocks += [Paragraph(note) for note in run.notes]
    scores = [
        (name, score)
        for name, score in (("test", run.test), ("validation", run.validation))
        if score
    ]
    if scores:
        rows = [
            (
                name,
                percent(s.accuracy),
                interval_text(s),
                DASH if s.loss is None else f"{s.loss:.4f}",
                f"{s.correct:,}",
                f"{s.images:,}",
            )
            for name, s in scores
        ]
        columns = ("split", "accuracy", "95 % interval", "loss", "right", "images")
        note = (
            ""
            if run.validation
            else (
                "Nothing was held out for validation: the test images were scored after each epoch."
            )
        )
        blocks.append(
            Table(
                "Scores, with Wilson's 95 % interval over images",
                columns,
                tuple(rows),
                frozenset(range(1, 6)),
                note,
            )
        )
    result = run.result
    spent = [
        f"{name} {seconds_text(run.seconds(name))}"
        for name in ("setup", "train", "eval")
        if run.seconds(name) is not None
    ]
    facts = rows_of(
        [
            ("epochs", result.get("epochs")),
            ("tested after epoch", result.get("tested_epoch")),
            ("updates", result.get("steps")),
            ("seed", run.seed),
            (
                "parameters",
                f"{result['parameters']:,}" if isinstance(result.get("parameters"), int) else None,
            ),
            (
                "time",
                f"{seconds_text(run.seconds('total'))}: {', '.join(spent)}" if spent else None,
            ),
            ("weights SHA-256", run.weights),
            ("resumed from", result.get("resumed_from")),
        ]
    )
    return [*blocks, Table("Facts", ("what", "value"), facts)] if facts else blocks


def _curves(run: RunRecord) -> list[Block]:
    epochs: dict[int, dict[str, Point]] = {}
    for point in run.points:
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
    last = rows[-1] if rows else None
    alt = f"Loss and accuracy of {run.recipe} by epoch" + (
        f"; after epoch {last[0]}: train loss {last[1]}, train accuracy {last[2]}, {held_out} loss {last[3]}, accuracy {last[4]}"
        if last else ""
    )  # fmt: skip
    picture = Picture(
        "Loss and accuracy; the thin line is the mean since the log point before",
        alt,
        partial(draw_curves, run),
    )
    return [picture, Table("Epochs", columns, rows, frozenset(range(5)))] if rows else [picture]


def _cell(point: Point | None, name: str) -> str:
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
    wrong = int((~predictions.right).sum())
    names = tuple(predictions.name_of(label) for label in range(len(counts)))
    matrix = Matrix(
        f"Confusion matrix of {counted(len(predictions), 'test image')}: truth in rows, prediction"
        " in columns",
        names,
        counts,
    )
    note, images = "", None
    if with_images and wrong:
        images, note = images_of(run, predictions)
    blocks: list[Block] = [matrix, *([Paragraph(note)] if note else [])]
    if wrong:
        caption = (
            f"The {min(wrong, WORST)} of {counted(wrong, 'mistake')} that the model was surest of"
        )
        blocks.append(
            Gallery("The only mistake" if wrong == 1 else caption, _worst(predictions, images))
        )
    return blocks


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
    rows = tuple(
        (key, value) for key, value in run.overrides.items() if not key.startswith("hydra.")
    )
    typed = (
        Table("What was typed", ("setting", "value"), rows)
        if rows
        else Paragraph("Nothing was set: all defaults.")
    )
    main = [(key, run.config[key]) for key in _MAIN if key in run.config]
    values = tuple((key, shown(value)) for key, value in main)
    blocks: list[Block] = [typed]
    if values:
        blocks.append(Table("The main settings", ("setting", "value"), values))
    if run.config_text:
        blocks.append(Listing("config.yaml, every setting", run.config_text))
    return blocks


_MAIN = (
    "seed", "data.name", "data.validation_size", "model._target_", "loss._target_", "optimizer._target_", "optimizer.lr",
    "scheduler._target_", "trainer.epochs", "trainer.batch_size",
)  # fmt: skip


def _environment(environment: Mapping[str, Any]) -> Table:
    packages, device = environment.get("packages"), environment.get("device")
    hashes, command = environment.get("data_sha256"), environment.get("command")
    pairs = [
        ("command", " ".join(map(str, command)) if isinstance(command, list) else command),
        (
            "device",
            (
                ", ".join(f"{value}" for value in device.values())
                if isinstance(device, dict)
                else device
            ),
        ),
        ("python", environment.get("python")),
        ("platform", environment.get("platform")),
        (
            "packages",
            (
                ", ".join(f"{k} {v}" for k, v in packages.items() if v)
                if isinstance(packages, dict)
                else packages
            ),
        ),
        ("git revision", environment.get("git_revision")),
        (
            "data hashes",
            (
                ", ".join(f"{k} {str(v)[:12]}…" for k, v in hashes.items())
                if isinstance(hashes, dict)
                else hashes
            ),
        ),
    ]
    return Table("What it ran on", ("what", "value"), rows_of(pairs))
