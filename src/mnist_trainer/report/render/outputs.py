"""Write a report in the requested formats."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mnist_trainer.report.analysis.comparison import Comparison
from mnist_trainer.report.read.records import RunRecord
from mnist_trainer.report.read.request import STDOUT, Request
from mnist_trainer.report.render.comparison_document import comparison_document
from mnist_trainer.report.render.data import comparison_csv, comparison_json, runs_csv, runs_json
from mnist_trainer.report.render.document import Document
from mnist_trainer.report.render.html import page
from mnist_trainer.report.render.markdown import markdown
from mnist_trainer.report.render.run_document import run_document
from mnist_trainer.report.render.sweep_document import sweep_document
from mnist_trainer.runs.folder import display_path
from mnist_trainer.system.files import write_named_file
from mnist_trainer.system.messages import counted

TEXTS = {"html": page, "markdown": markdown}
COMPARISON_TEXTS = {"csv": comparison_csv, "json": comparison_json}
RUN_TEXTS = {"csv": runs_csv, "json": runs_json}


def show_runs(runs: Sequence[RunRecord], request: Request) -> None:
    """The report of one run or of many."""

    def document(form: str) -> Document:
        if len(runs) == 1:
            return run_document(runs[0], with_images=form == "html")
        if len(request.folders) == 1:
            return sweep_document(runs, Path(request.folders[0]).resolve().name)
        return sweep_document(runs, counted(len(runs), "run"))

    _deliver(request, document, lambda form: RUN_TEXTS[form](runs))


def show_comparison(comparison: Comparison, request: Request) -> None:
    """The report of two recipes."""
    _deliver(
        request,
        lambda _: comparison_document(comparison),
        lambda form: COMPARISON_TEXTS[form](comparison),
    )


def _deliver(
    request: Request, document: Callable[[str], Document], data: Callable[[str], str]
) -> None:
    """Print the report on the terminal, or write each requested file.

    Raises:
        MachineError: a file cannot be written.
    """
    if not request.targets:
        from mnist_trainer.report.render.terminal import print_document

        print_document(document("terminal"))
        return
    for form, target in request.targets.items():
        text = TEXTS[form](document(form)) if form in TEXTS else data(form)
        # Names of folders may hold bytes that cannot be decoded.
        content = text.encode(errors="replace")
        if target == STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.flush()
            continue
        write_named_file(Path(target), content, f"--{form} FILE")
        said = sys.stderr if STDOUT in request.targets.values() else sys.stdout
        print(f"written: {display_path(Path(target))} ({len(content) / 1000:,.0f} kB)", file=said)
