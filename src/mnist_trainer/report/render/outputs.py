"""Write a report in the requested formats."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from shlex import quote
from typing import Any

from mnist_trainer.errors import ConfigError
from mnist_trainer.report.analysis.comparison import Comparison
from mnist_trainer.report.analysis.evidence import evidence_of_runs
from mnist_trainer.report.analysis.groups import group_runs
from mnist_trainer.report.analysis.passport_comparison import PassportComparison
from mnist_trainer.report.analysis.run_difference import RunDifference, difference_of
from mnist_trainer.report.read.destination import STDOUT
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.render.comparison_document import comparison_document
from mnist_trainer.report.render.data import (
    comparison_csv,
    comparison_json,
    json_text,
    runs_csv,
    runs_json,
)
from mnist_trainer.report.render.difference_data import difference_csv, difference_json
from mnist_trainer.report.render.difference_document import (
    difference_document,
    difference_section,
)
from mnist_trainer.report.render.document import Document
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.passport_comparison_document import (
    passport_comparison_document,
)
from mnist_trainer.report.render.passport_document import passport_document
from mnist_trainer.report.render.power_document import power_csv, power_document, power_values
from mnist_trainer.report.render.run_document import run_document
from mnist_trainer.report.render.sweep_document import sweep_document
from mnist_trainer.report.render.tensorboard import bands_folder, write_bands
from mnist_trainer.report.render.terminal import print_document
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.latest import run_path
from mnist_trainer.system.files import write_named_file
from mnist_trainer.system.messages import counted

Targets = Mapping[str, str]
"""Format to file; empty for the terminal."""
TEXTS = {"html": page, "markdown": markdown}


def show_runs(
    runs: Sequence[RunRecord], folders: Sequence[str], targets: Mapping[str, str]
) -> None:
    """The report of one run or of many.

    Args:
        folders: what the user named; a single one becomes the title.
        targets: format to file; empty for the terminal.
    """

    def document(form: str) -> Document:
        if len(runs) == 1:
            return run_document(runs[0], with_images=form == "html")
        title = Path(folders[0]).resolve().name if len(folders) == 1 else ""
        place = Path(targets[form]).resolve().parent if form == "html" else None
        found = sweep_document(runs, title or counted(len(runs), "run"), place)
        return _with_difference(found, runs) if form == "html" else found

    _deliver(targets, document, {"csv": lambda: runs_csv(runs), "json": lambda: runs_json(runs)})


def show_power(
    runs: Sequence[RunRecord], folders: Sequence[str], points: float | None, targets: Targets
) -> None:
    """What numbers of seeds can show, by the spread of these runs.

    Raises:
        ConfigError: no recipe has two seeds.
    """
    known = evidence_of_runs(group_runs(runs))
    if known is None:
        raise ConfigError(
            f"--power: {', '.join(folders)}: a spread takes two completed seeds of a recipe, and"
            " there are none. Train some: mnist-train -m ... seed=0,1,2,3,4"
        )
    difference = None if points is None else points / 100
    values = power_values(known, difference)
    title = Path(folders[0]).resolve().name if len(folders) == 1 else counted(len(runs), "run")
    data = {"csv": lambda: power_csv(values), "json": lambda: json_text(values)}
    _deliver(targets, lambda _: power_document(known, difference, title), data)


def show_bands(runs: Sequence[RunRecord], folder: str) -> None:
    """Write the groups' bands for TensorBoard beside the folder of a sweep."""
    place = bands_folder(run_path(folder))
    written = write_bands(group_runs(runs), place)
    for each in written:
        print(f"written: {display_path(each)}/{{mean,low,high,band}}")
    print(f"look at   tensorboard --logdir {quote(display_path(place))}")


def show_comparison(comparison: Comparison, targets: Mapping[str, str]) -> None:
    """The report of two recipes."""
    data = {
        "csv": lambda: comparison_csv(comparison),
        "json": lambda: comparison_json(comparison),
    }

    def document(form: str) -> Document:
        found = comparison_document(comparison)
        runs = (*comparison.a.runs, *comparison.b.runs)
        return _with_difference(found, runs) if form == "html" else found

    _deliver(targets, document, data)


def show_difference(found: RunDifference, targets: Mapping[str, str]) -> None:
    """The report of what differs between two runs."""
    data = {"csv": lambda: difference_csv(found), "json": lambda: difference_json(found)}
    _deliver(targets, lambda _: difference_document(found), data)


def _with_difference(document: Document, runs: Sequence[RunRecord]) -> Document:
    """The document with what differs between its runs, where it is about two."""
    if len(runs) != 2:
        return document
    section = difference_section(difference_of(*runs))
    return replace(document, sections=(*document.sections, section))


def show_passport(values: Mapping[str, Any], targets: Mapping[str, str]) -> None:
    """The passport of a machine: printed, unless standard output is a file of it, and written."""
    document = passport_document(JsonValues(values))
    if targets and STDOUT not in targets.values():
        print_document(document)
    _deliver(targets, lambda _: document, {"json": lambda: json_text(values)})


def show_passport_comparison(comparison: PassportComparison, targets: Mapping[str, str]) -> None:
    """The report of two passports."""
    data = {"json": lambda: json_text(asdict(comparison))}
    _deliver(targets, lambda _: passport_comparison_document(comparison), data)


def _deliver(
    targets: Mapping[str, str],
    document: Callable[[str], Document],
    data: Mapping[str, Callable[[], str]],
) -> None:
    """Print the report on the terminal, or write each requested file.

    Raises:
        MachineError: a file cannot be written.
    """
    if not targets:
        print_document(document("terminal"))
    for form, target in targets.items():
        text = data[form]() if form in data else TEXTS[form](document(form))
        # Names of folders may hold bytes that cannot be decoded.
        content = text.encode(errors="replace")
        if target == STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
            continue
        write_named_file(Path(target), content, f"--{form} FILE")
        said = sys.stderr if STDOUT in targets.values() else sys.stdout
        print(f"written: {display_path(Path(target))} ({len(content) / 1000:,.0f} kB)", file=said)
