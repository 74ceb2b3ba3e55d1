"""Progress of a run: live bars on a terminal, plain lines anywhere else."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnist_trainer.models.summary import LayerSummary
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.runs.result import Result, Status
from mnist_trainer.system.console import make_console, make_table, printable
from mnist_trainer.training.tracking.closing import closing_lines, percent
from mnist_trainer.training.tracking.epoch_table import columns_left_out, head_of, row_of

REFRESH_SECONDS = 0.1


@dataclass(frozen=True)
class EpochReport:
    """One row of the table of epochs."""

    epoch: int
    epochs: int
    train: Metrics
    validation: Metrics | None
    test: Metrics | None
    learning_rate: float
    images_per_second: float
    seconds: float
    is_best: bool


class Terminal:
    """Receives the events of a training run.

    This base class shows nothing: it is for processes other than the main one, and for jobs whose
    sweep shows them.
    """

    def started(self, lines: Sequence[str], layers: Sequence[LayerSummary]) -> None:
        """The run begins; the lines describe it."""

    def note(self, text: str) -> None:
        """Show a line; above the bars, where there are any."""

    def epoch_started(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch of so many steps begins."""

    def on_step(self, images: int) -> None:
        """A step on so many images was made."""

    def on_metrics(self, metrics: Metrics) -> None:
        """Training metrics of the last interval."""

    def epoch_ended(self, report: EpochReport) -> None:
        """An epoch was trained and scored."""

    def profiled(self, table: str, trace: Path) -> None:
        """A profile was written."""

    def finished(self, result: Result, folder: str) -> None:
        """The run completed."""

    def close(self) -> None:
        """The run ended, also by an error."""


def open_terminal(is_main_process: bool = True) -> Terminal:
    """Bars on a terminal, lines in a file or pipe, nothing from other than the main process."""
    if not is_main_process:
        return Terminal()
    return RichTerminal() if is_watched() else PlainTerminal()


def is_watched() -> bool:
    """Whether standard output is a terminal that shows bars; ``NO_COLOR`` takes colours alone."""
    plain = "CI" in os.environ or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def profile_lines(table: str, trace: Path) -> list[str]:
    """The table of a profile, and where to see all of it."""
    return [
        *table.splitlines(),
        f"trace: {display_path(trace)}  (open it on https://ui.perfetto.dev)",
    ]


class PlainTerminal(Terminal):
    """One line per event, for logs and other programs."""

    def note(self, text: str) -> None:
        # A terminal that cannot show a character must not end the run.
        print(printable(text), flush=True)

    def started(self, lines: Sequence[str], layers: Sequence[LayerSummary]) -> None:
        for line in lines:
            self.note(line)
        for layer in layers:
            shape = "x".join(map(str, layer.output_shape))
            self.note(
                f"  {layer.name:<16} {layer.kind:<12} {shape:<12} {layer.parameters:>10,}"
                f" {layer.macs:>12,}"
            )

    def epoch_ended(self, report: EpochReport) -> None:
        parts = [f"train loss {report.train.loss:.4f} accuracy {percent(report.train)}"]
        for name, metrics in (("validation", report.validation), ("test", report.test)):
            if metrics:
                parts.append(f"{name} loss {metrics.loss:.4f} accuracy {percent(metrics)}")
        parts.append(f"{report.images_per_second:,.0f} images/s")
        self.note(
            f"epoch {report.epoch}/{report.epochs} "
            f" {'  '.join(parts)}{'  best' if report.is_best else ''}"
        )

    def profiled(self, table: str, trace: Path) -> None:
        for line in profile_lines(table, trace):
            self.note(line)

    def finished(self, result: Result, folder: str) -> None:
        for name, text in closing_lines(result, folder):
            self.note(f"{name + ':':<12} {text}")


class RichTerminal(Terminal):
    """Tables and live bars."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = make_console()
        self.progress = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=max(8, min(30, self.console.width // 3 - 12))),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
        )
        self.run_task: Any = None
        self.epoch_task: Any = None
        self.pending_steps = 0
        self.pending_images = 0
        self.refreshed = time.monotonic()
        self.loss_note = ""
        self.header_shown = False
        self.left_out = columns_left_out(self.console.width)

    def started(self, lines: Sequence[str], layers: Sequence[LayerSummary]) -> None:
        from rich.text import Text

        self.console.print(Text(printable(lines[0]), style="bold"))
        for line in lines[1:]:
            self.console.print(Text(printable(line)))
        columns = ("layer", "kind", "output", "parameters", "multiply-adds")
        table = make_table(*columns, numeric=(3, 4))
        table.show_footer, table.footer_style = True, "dim"
        table.columns[0].footer = "in all"
        table.columns[3].footer = f"{sum(layer.parameters for layer in layers):,}"
        table.columns[4].footer = f"{sum(layer.macs for layer in layers):,}"
        for layer in layers:
            shape = " x ".join(map(str, layer.output_shape))
            table.add_row(
                Text(printable(layer.name)),
                Text(printable(layer.kind)),
                shape,
                f"{layer.parameters:,}" if layer.parameters else "",
                f"{layer.macs:,}" if layer.macs else "",
            )
        self.console.print(table)
        self.console.print()

    def epoch_started(self, epoch: int, epochs: int, steps: int) -> None:
        if self.run_task is None:
            self.progress.start()
            self.run_task = self.progress.add_task("all epochs", total=epochs * steps, note="")
            self.epoch_task = self.progress.add_task("epoch", total=steps, note="")
        self.progress.update(self.run_task, completed=(epoch - 1) * steps)
        self.progress.reset(
            self.epoch_task, total=steps, description=f"epoch {epoch}/{epochs}", note=self.loss_note
        )

    def on_step(self, images: int) -> None:
        self.pending_steps += 1
        self.pending_images += images
        now = time.monotonic()
        if now - self.refreshed >= REFRESH_SECONDS:
            rate = self.pending_images / (now - self.refreshed)
            note = f"{self.loss_note}  {rate:,.0f} images/s"
            self.progress.update(self.epoch_task, advance=self.pending_steps, note=note)
            self.progress.update(self.run_task, advance=self.pending_steps)
            self.pending_steps, self.pending_images, self.refreshed = 0, 0, now

    def on_metrics(self, metrics: Metrics) -> None:
        self.loss_note = f"loss {metrics.loss:.4f}  accuracy {percent(metrics)}"

    def epoch_ended(self, report: EpochReport) -> None:
        self.pending_steps, self.pending_images = 0, 0
        scored = "validation" if report.validation else "test" if report.test else ""
        if not self.header_shown:
            self.header_shown = True
            head = head_of(self.left_out, scored)
            self.console.print(f"[dim]{head}[/dim]")
        metrics = report.validation or report.test
        row = row_of(
            self.left_out,
            str(report.epoch),
            f"{report.train.loss:.4f}",
            percent(report.train),
            f"{metrics.loss:.4f}" if metrics else "",
            percent(metrics),
            f"{report.learning_rate:.2g}",
            f"{report.images_per_second:,.0f}",
            f"{report.seconds:.1f}",
        )
        self.console.print(row + ("  [green]best[/green]" if report.is_best else ""))

    def note(self, text: str) -> None:
        self.console.print(printable(text), markup=False, soft_wrap=True)

    def profiled(self, table: str, trace: Path) -> None:
        for line in profile_lines(table, trace):
            self.note(line)

    def finished(self, result: Result, folder: str) -> None:
        from rich.panel import Panel
        from rich.text import Text

        self.close()
        self.console.print()
        table = make_table("", "")
        for name, text in closing_lines(result, folder):
            style = "bold" if name == "test" else ""
            table.add_row(Text(name, style="dim"), Text(printable(text), style=style))
        panel = Panel.fit(
            table, title=Status.COMPLETED, title_align="left", border_style="green", padding=(0, 2)
        )
        self.console.print(panel)

    def close(self) -> None:
        self.progress.stop()
