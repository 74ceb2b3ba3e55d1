"""The evaluation card of a network as a document."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.report.read.card import interval, part
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.card_figures import MAPS, card_figures, figures_of
from mnist_trainer.report.render.card_summary import (
    bounds_text,
    masked_text,
    share_text,
    summary,
)
from mnist_trainer.report.render.document import (
    DASH,
    Bitmap,
    Block,
    Document,
    Paragraph,
    Table,
    percent,
    rows_of,
    sections_of,
)
from mnist_trainer.system.messages import counted

MADE_BY = "mnist-eval"
Pixels = NDArray[np.uint8]
Pictures = Mapping[str, Pixels]


def card_document(card: JsonValues, pictures: Pictures) -> Document:
    """What a card says, the summary first.

    Args:
        pictures: those of images, by name; may be empty.
    """
    checkpoint = card.text("checkpoint", "file")
    effort = card.text("effort")
    subtitle = f"evaluation card ({effort}) of {checkpoint}, {card.text('data')} test images"
    titles: dict[str, Sequence[Block]] = {
        "Summary": summary(card),
        "Disputed images": _disputed(card),
        "Corruptions": _corruptions(card, pictures),
        "Attacks": _attacks(card, pictures),
        "Errors and what is no digit": _unknown(card, pictures),
        "Calibration": _calibration(card),
        "Shifts and rotations": _shifts(card),
        "How it was made": [_made(card)],
    }
    title = card.text("recipe") or "a network"
    return Document(title, subtitle, sections_of(titles), MADE_BY)


def _disputed(card: JsonValues) -> list[Block]:
    rows = tuple(
        (
            f"{row.number('index') or 0:.0f}",
            row.text("label"),
            row.text("predicted"),
            percent(row.number("probability"), 1),
            "as labelled" if row.text("label") == row.text("predicted") else "otherwise",
        )
        for row in part(card, "clean").rows("disputed")
    )
    note = (
        "Most people reject the label of these test images (Northcutt, Athalye and Mueller 2021)."
        " To predict such a label is no merit."
    )
    columns = ("test image", "label", "predicted", "probability", "answer")
    table = Table("Images with a disputed label", columns, rows, frozenset({0, 1, 2, 3}), note)
    return [table] if rows else []


def _corruptions(card: JsonValues, pictures: Pictures) -> list[Block]:
    found = part(card, "corruptions")
    kinds = found.rows("kinds")
    if not kinds:
        return []
    rows = tuple(
        (
            kind.text("name").replace("_", " "),
            share_text(kind.number("accuracy")),
            bounds_text(interval(kind.at("accuracy_interval_95"))),
            *(share_text(row.number("accuracy"), 1) for row in kind.rows("strengths")[:5]),
        )
        for kind in kinds
    )
    rows = tuple((*row, *[DASH] * (8 - len(row))) for row in rows)
    images = found.number("images") or 0
    columns = ("corruption", "accuracy", "95 % interval", "1", "2", "3", "4", "5")
    caption = (
        f"Accuracy in % of {images:,.0f} test images at the published strength, and at all five"
    )
    seen = [kind.text("name") for kind in kinds if kind.flag("seen_in_training")]
    note = f"Trained with: {', '.join(seen)}." if seen else "None of them was trained with."
    table = Table(caption, columns, rows, frozenset(range(1, 8)), note)
    blocks: list[Block] = [table, *figures_of(card, "corruptions")]
    text = "Each corruption at five strengths; the published one is framed"
    return blocks + _bitmap(pictures, "contact_sheet", text)


def _bitmap(pictures: Pictures, name: str, caption: str) -> list[Block]:
    return [Bitmap(caption, caption, pictures[name])] if name in pictures else []


def _attacks(card: JsonValues, pictures: Pictures) -> list[Block]:
    attacks = part(card, "attacks")
    pairs = zip(attacks.rows("fgsm"), attacks.rows("pgd"), strict=False)
    rows = tuple(
        (
            f"{fgsm.number('epsilon') or 0:g}",
            *(
                text
                for row in (fgsm, pgd)
                for text in (
                    share_text(row.number("accuracy")),
                    bounds_text(interval(row.at("accuracy_interval_95"))),
                )
            ),
        )
        for fgsm, pgd in pairs
    )
    if not rows:
        return []
    number = attacks.number
    note = (
        f"PGD: {number('steps') or 0:.0f} steps, {counted(int(number('restarts') or 0), 'restart')}"
        f", {number('images') or 0:,.0f} test images, largest change of each pixel epsilon of 1."
    )
    columns = ("epsilon", "FGSM", "95 % interval", "PGD", "95 % interval")
    table = Table("Accuracy in % under attack", columns, rows, frozenset(range(5)), note)
    blocks: list[Block] = [table, *figures_of(card, "attacks")]
    if attacks.text("masked"):
        blocks.insert(0, Paragraph(masked_text(attacks), strong=True))
    else:
        blocks.append(Paragraph("No sign of masked gradients was found."))
    answers = ", ".join(
        f"{row.text('label')} as {row.text('predicted')} ({row.number('epsilon') or 0:g})"
        for row in attacks.rows("examples")
    )
    text = f"Test images above, what PGD made of them below: {answers}"
    return blocks + _bitmap(pictures, "attacked", text)


def _unknown(card: JsonValues, pictures: Pictures) -> list[Block]:
    unknown = part(card, "unknown")
    answered = tuple(
        (
            f"{100 * (row.number('coverage') or 0):g}",
            f"{row.number('images') or 0:,.0f}",
            share_text(row.number("accuracy")),
        )
        for row in unknown.rows("answered")
    )
    if not answered:
        return []
    columns = ("answered, %", "images", "accuracy, %")
    caption = "Accuracy where only the surest are answered"
    blocks: list[Block] = [
        Paragraph(
            "How well the largest probability tells errors from correct answers, and digits from"
            " what is none, as AUROC in the summary: 50 % is chance, 100 % is perfect."
        ),
        _kinds(unknown),
        Table(caption, columns, answered, frozenset(range(3))),
        *figures_of(card, "answered"),
    ]
    text = "Of each kind the first images, of the blank ones from black to white"
    return blocks + _bitmap(pictures, "not_digits", text)


def _kinds(unknown: JsonValues) -> Table:
    rows = tuple(
        (
            row.text("name").replace("_", " "),
            f"{row.number('images') or 0:,.0f}",
            percent(row.number("mean_confidence")),
        )
        for row in unknown.rows("kinds")
        if not row.at("skipped")
    )
    caption = "Mean of the largest probability of images that show no digit"
    return Table(caption, ("images", "number", "mean"), rows, frozenset({1, 2}))


def _calibration(card: JsonValues) -> list[Block]:
    calibration = part(card, "calibration")
    key = "expected_calibration_error"
    rows = tuple(
        (
            name,
            share_text(row.number(key)),
            bounds_text(interval(row.at(f"{key}_interval_95"))),
            percent(row.number("mean_confidence")),
            f"{row.number('negative_log_likelihood') or 0:.4f}",
        )
        for name in ("before", "after")
        if (row := JsonValues(calibration.at(name))).number(key) is not None
    )
    if not rows:
        return []
    temperature, reason = calibration.number("temperature"), calibration.text("not_fitted")
    text = f"Temperature scaling could not be fitted: {reason}."
    if temperature is not None:
        images = calibration.number("fitted_on") or 0
        text = f"Temperature {temperature:.3f}, fitted on {images:,.0f} validation images."
    columns = ("temperature scaling", "error, %", "95 % interval", "mean probability", "loss")
    note = "Error: expected calibration error (Guo et al. 2017); intervals by bootstrap."
    table = Table("Calibration on the test images", columns, rows, frozenset(range(1, 5)), note)
    return [Paragraph(text), table, *figures_of(card, "reliability")]


def _shifts(card: JsonValues) -> list[Block]:
    images = part(card, "shifts").number("images")
    if images is None:
        return []
    text = f"Accuracy on {images:,.0f} test images, shifted by whole pixels and rotated."
    found = card_figures(card)
    return [Paragraph(text), *figures_of(card, *(name for name in MAPS if name in found))]


def _made(card: JsonValues) -> Table:
    seconds = JsonValues(card.at("seconds"))
    took = ", ".join(
        f"{name} {value:.1f}"
        for name, _ in card.pairs("seconds")
        if (value := seconds.number(name)) is not None
    )
    values = [
        ("weights, SHA-256", card.text("checkpoint", "weights_sha256")[:16]),
        ("device", f"{card.text('device')}, {card.text('precision')}"),
        ("seed", card.text("seed")),
        ("seconds", took),
    ]
    return Table("How this card was made", ("", ""), rows_of(values))
