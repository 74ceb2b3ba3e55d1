"""What numbers of seeds can show, and what a difference takes: ``--power`` and ``--plan``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mnist_trainer.report.analysis.power import (
    MOST_SEEDS,
    Demand,
    Evidence,
    demand,
    prospects,
)
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Paragraph,
    Table,
    sections_of,
)

NOTE = (
    "A difference of at least this size is shown with a probability of 80 %, by a paired t-test at"
    " 5 % (noncentral t); in brackets with the ends of the interval of the standard deviation."
)


def power_document(
    known: Evidence, difference: float | None, title: str, further: Sequence[str] = ()
) -> Document:
    """The report.

    Args:
        difference: the one that is to be shown, a share of the images.
        further: sentences for its end.
    """
    rows = tuple(
        (
            str(each.seeds),
            f"{100 * each.difference:.3g} points",
            f"({100 * each.bounds[0]:.3g} to {100 * each.bounds[1]:.3g})",
            minutes_text(each.minutes),
        )
        for each in prospects(known)
    )
    columns = ("seeds a side", "smallest difference", "", "all runs take")
    note = NOTE
    if known.num_recipes > 2:
        note += (
            f" {known.num_recipes - 1} recipes are compared with the first and share the 5 %"
            " (Bonferroni)."
        )
    table = Table("What seeds can show", columns, rows, frozenset({0, 1, 3}), note)
    asked: list[Block] = []
    if difference is not None:
        asked.append(Paragraph(demand_text(demand(difference, known)), strong=True))
    sections = sections_of(
        {
            "Spread and time": [Paragraph(text) for text in known.notes],
            "Power": [table, *asked, *map(Paragraph, further)],
        }
    )
    return Document(title, f"{known.num_recipes} recipes, over seeds", sections)


def demand_text(found: Demand) -> str:
    """How many seeds a difference takes, as a sentence."""
    low, high = (f"{'over ' if n >= MOST_SEEDS else ''}{n:,}" for n in found.bounds)
    seeds = f"{'over ' if found.seeds >= MOST_SEEDS else ''}{found.seeds:,}"
    time = "" if found.minutes is None else f", {minutes_text(found.minutes)} for all runs"
    return (
        f"To show a difference of {100 * found.difference:.6g} points takes {seeds} seeds a side"
        f" ({low} to {high}, as the standard deviation is itself an estimate){time}."
    )


def minutes_text(minutes: float | None) -> str:
    """A time, one run after the other."""
    if minutes is None:
        return DASH
    if minutes < 1:
        return f"{60 * minutes:.0f} s"
    return f"{minutes:,.1f} min" if minutes < 10 else f"{minutes:,.0f} min"


def power_csv(values: Mapping[str, Any]) -> str:
    """A row for each number of seeds."""
    lines = ["seeds,difference,low,high,minutes"]
    for each in values["prospects"]:
        row = (each["seeds"], each["difference"], *each["bounds"], each["minutes"])
        lines.append(",".join("" if value is None else f"{value:.9g}" for value in row))
    return "\n".join(lines) + "\n"


def power_values(known: Evidence, difference: float | None) -> dict[str, Any]:
    """The report as data; differences are shares of the images."""
    return {
        "sd": known.sd.value,
        "sd_interval": known.sd.interval,
        "degrees": known.sd.degrees,
        "level": known.level,
        "recipes": known.num_recipes,
        "seconds_a_seed": known.seconds_a_seed,
        "prospects": [asdict(each) for each in prospects(known)],
        "demand": None if difference is None else asdict(demand(difference, known)),
        "notes": known.notes,
    }
