"""The table of all runs of a sweep."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from mnist_trainer.report.analysis.folds import fold_of
from mnist_trainer.report.analysis.groups import Group, value_of
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Paragraph,
    Table,
    accuracy_text,
    seconds_text,
)
from mnist_trainer.runs.folder import display_path


def _links(runs: Sequence[RunRecord], place: Path | None) -> tuple[str, ...]:
    return tuple(_link(run, place) for run in runs) if place else ()


def _link(run: RunRecord, place: Path) -> str:
    """Relative address of the report of a run, or else of its folder."""
    report = run.folder.path / "report.html"
    target = os.path.relpath(report if report.is_file() else run.folder.path, place)
    # Without the dot a name like "a:b" would be read as a scheme.
    return f"./{quote(os.fsencode(target))}{'' if report.is_file() else '/'}"


def runs_table(
    runs: Sequence[RunRecord], groups: Sequence[Group], place: Path | None
) -> list[Block]:
    """Every run, those without a result once more with their last message, and what could not be
    read.

    Args:
        place: folder that the report is written to, from which links to the runs lead.
    """
    settings = (*groups[0].settings, *_fold_column(runs))
    base = Path(os.path.commonpath([run.folder.path.parent for run in runs]))
    named = {str(run.folder.path.relative_to(base)): run for run in runs}
    rows = tuple(
        (
            name,
            *(value_of(run, key) for key in settings),
            DASH if run.seed is None else str(run.seed),
            run.status,
            accuracy_text(run.validation),
            accuracy_text(run.test),
            seconds_text(run.seconds("total")),
        )
        for name, run in named.items()
    )
    columns = ("run", *settings, "seed", "status", "validation", "test", "time")
    numeric = frozenset({len(settings) + place for place in (1, 3, 4, 5)})
    caption = f"Every run, below {display_path(base)}"
    blocks: list[Block] = [Table(caption, columns, rows, numeric, links=_links(runs, place))]
    unfinished = {name: run for name, run in named.items() if not run.completed}
    if unfinished:
        blocks.append(_unfinished(unfinished))
    return [*blocks, *(Paragraph(note) for run in runs for note in run.notes)]


def _fold_column(runs: Sequence[RunRecord]) -> list[str]:
    return ["data.fold"] if any(fold_of(run) is not None for run in runs) else []


def _unfinished(runs: Mapping[str, RunRecord]) -> Table:
    rows = tuple((name, run.status, run.message or DASH) for name, run in runs.items())
    resumable = any(run.status == "interrupted" for run in runs.values())
    note = "An interrupted run goes on with mnist-train resume=FOLDER." if resumable else ""
    return Table("Runs without a result", ("run", "status", "last message"), rows, note=note)
