"""The summary of an evaluation card: its measures beside published ones, and what is not in it."""

from mnist_trainer.report.read.card import Measure, measures, part
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Paragraph,
    Table,
    headline,
    percent,
)


def summary(card: JsonValues) -> list[Block]:
    """The accuracy, all measures, and what was left out."""
    found = measures(card)
    blocks: list[Block] = []
    if found and found[0].part == "clean":
        about = f"of the test images, 95 % interval {_interval_text(found[0])} %"
        blocks.append(headline(percent(found[0].value), about))
    attacks = part(card, "attacks")
    if attacks.text("masked"):
        blocks.append(Paragraph(masked_text(attacks), strong=True))
    # Each corruption has its place in the section below.
    short = [each for each in found if each.part != "corruptions" or each.name.startswith("mean")]
    return [*blocks, measure_table(short), *map(Paragraph, _skipped(card))]


def _skipped(card: JsonValues) -> list[str]:
    """What was left out, and why."""
    parts = {"QMNIST": part(card, "qmnist")}
    parts |= {row.text("name"): row for row in part(card, "unknown").rows("kinds")}
    parts["detection of errors"] = JsonValues(part(card, "unknown").at("errors"))
    found = [f"{name}: {row.text('skipped')}." for name, row in parts.items() if row.at("skipped")]
    reason = part(card, "calibration").text("not_fitted")
    return [*found, f"temperature: not fitted: {reason}."] if reason else found


def measure_table(found: list[Measure]) -> Table:
    """A row for each measure, with what was published."""
    rows = tuple(
        (each.part, each.name, value_text(each), _interval_text(each), published_text(each))
        for each in found
    )
    sources = dict.fromkeys(
        f"{each.published.text('model')}: {each.published.text('source')}"
        for each in found
        if each.published.number("value") is not None
    )
    note = "".join(f" Published: {'; '.join(sources)}." if sources else "")
    columns = ("part", "measure", "value", "95 % interval", "published")
    text = "In %, but for the temperature." + note
    return Table("Measures", columns, rows, frozenset({2, 3, 4}), text)


def value_text(found: Measure) -> str:
    """The value in percent, or a plain number."""
    return f"{100 * found.value:.2f}" if found.is_share else f"{found.value:.3f}"


def _interval_text(found: Measure) -> str:
    return bounds_text(found.interval)


def bounds_text(bounds: tuple[float, float] | None) -> str:
    """An interval of shares in percent, without the sign."""
    return DASH if bounds is None else f"{100 * bounds[0]:.2f} to {100 * bounds[1]:.2f}"


def published_text(found: Measure) -> str:
    """The published value in percent; a dash where there is none."""
    value = found.published.number("value")
    return DASH if value is None else f"{100 * value:.1f}"


def share_text(value: float | None, digits: int = 2) -> str:
    """A share in percent, without the sign."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def masked_text(attacks: JsonValues) -> str:
    """Why accuracy under attack does not show robustness."""
    return (
        f"The gradients are masked: {attacks.text('masked')}. Accuracy under PGD does not show that"
        " this network is robust."
    )
