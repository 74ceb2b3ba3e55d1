"""A learning-rate test on the terminal."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from mnist_trainer.compute.device import Device
from mnist_trainer.config.find_lr import FindLrSettings
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.launch.find_lr.files import JSON_FILE, PNG_FILE
from mnist_trainer.runs.folder import display_path
from mnist_trainer.system.console import fit, make_console, make_table, printable
from mnist_trainer.training.lr_range_test.search import Cost

WIDTH_IN_A_FILE = 110
HEADS = ("optimizer.lr", "loss", "± sd", "")
"""Headings of the table, but for the plot's before the last."""
PLOT, LEAST_PLOT, GAP = 36, 7, 2
"""Most and least columns of the plot of the losses, and those between two cells."""
MARKS, PLAIN_MARKS = ("●", "─", "┊"), ("o", "-", ":")
"""Mean, band and the loss before training; and for a terminal that knows ASCII only."""
NAMES = {
    "steepest": "steepest: largest fall of the loss",
    "recommended": "recommended: at most fastest / {divisor:g}",
    "fastest": "fastest: lowest loss",
    "largest_stable": "largest stable: every seed learns",
}


def show_cost(cost: Cost, config: RunConfig, settings: FindLrSettings, device: Device) -> None:
    """Say what the test will take, and what it replaces of the configuration."""
    lines = [
        f"learning-rate test: {config.label} on {device.name}",
        f"cost: at most {cost.runs} short runs of {settings.steps} updates ="
        f" {cost.steps:,} updates, about {duration(cost.seconds)} here (measured by the first"
        " updates)",
    ]
    if config.scheduler.choice != "constant" or config.scheduler.options.get("warmup_epochs"):
        lines.append(
            f"scheduler={config.scheduler.choice} is replaced by a constant rate without warm-up"
            " during the test. A schedule that falls to zero bears a higher rate than a constant"
            " one."
        )
    if config.trainer.adversary is not None and config.trainer.adversary.warmup_epochs:
        lines.append("trainer.adversary.warmup_epochs is 0 during the test: all of epsilon at once")
    lines.append("judged on training batches not seen before; test and validation images unused")
    for line in lines:
        print(fit(printable(line)), flush=True)


def duration(seconds: float) -> str:
    """A time in seconds or minutes, roughly."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def show_test(content: Mapping[str, Any], folder: Path) -> None:
    """Print the table with its plot, the named rates, the files, and the line to type."""
    if hasattr(sys.stdout, "reconfigure"):
        # A character that the terminal cannot show must not end the command.
        sys.stdout.reconfigure(errors="replace")
    console = make_console(None if sys.stdout.isatty() else WIDTH_IN_A_FILE)
    with console.capture() as page:
        console.print()
        _print_points(console, content)
        console.print()
        _print_names(console, content)
    # Tables fill their columns with blanks, which a file need not keep.
    print("\n".join(line.rstrip() for line in page.get().splitlines()))
    shown = display_path(folder)
    print(f"\nfiles:  {shown}/{JSON_FILE}, {PNG_FILE}")
    print(f"curves: tensorboard --logdir {shown}")
    print(f"train:  {printable(str(content['command']))}")


@dataclass(frozen=True)
class _Columns:
    """The logarithmic scale of the plot."""

    start: float
    """Loss before training."""
    low: float
    high: float
    width: int

    def of(self, loss: float) -> int:
        """Column of a loss; of one outside of the scale the nearest."""
        share = math.log(max(loss, 1e-12) / self.low) / math.log(self.high / self.low)
        return min(self.width - 1, max(0, round(share * (self.width - 1))))


def _print_points(console: Any, content: Mapping[str, Any]) -> None:
    scale, marks, points = _scale(content), _marks(), content["points"]
    cells = [(*_numbers(point), _note(point, content)) for point in points]
    beside = sum(max(len(row[k]) for row in (HEADS, *cells)) + GAP for k in range(len(HEADS)))
    width = max(LEAST_PLOT, min(PLOT, console.width - beside - GAP))
    low, high = (f"{loss:.2g}" for loss in scale)
    axis = Text(f"{low}{high:>{width - len(low)}}")
    columns = _Columns(content["start_loss"], *scale, width)
    table = make_table(*HEADS[:-1], axis, HEADS[-1], numeric=(0, 1, 2))
    for point, (*numbers, note) in zip(points, cells, strict=True):
        style = "bold" if point["rate"] == content["recommended"] else None
        table.add_row(*numbers, _plot(point, columns, marks), note, style=style)
    console.print(
        Text(
            f"mean training loss of the last {content['num_judged']} of"
            f" {content['settings']['steps']} updates, {content['seeds']} seeds;"
            f" {marks[2]} before training: {content['start_loss']:.3g}",
            style="italic",
        )
    )
    console.print(table)


def _numbers(point: Mapping[str, Any]) -> tuple[str, str, str]:
    """Rate, mean loss and its standard deviation; empty where a run diverged."""
    mean, deviation = point["mean"], point["deviation"]
    return (
        f"{point['rate']:.3g}",
        "" if mean is None else f"{mean:.4g}",
        "" if deviation is None else f"{deviation:.2g}",
    )


def _scale(content: Mapping[str, Any]) -> tuple[float, float]:
    """The losses at both ends of the plot; what is far above the start is not shown to scale."""
    start = content["start_loss"]
    losses = [each for point in content["points"] for each in point["losses"] if each is not None]
    low = min([start, *losses])
    return max(low, 1e-9), max(1.3 * start, min(max(losses), 2 * start))


def _marks() -> tuple[str, str, str]:
    try:
        "".join(MARKS).encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return PLAIN_MARKS
    return MARKS


def _plot(point: Mapping[str, Any], columns: _Columns, marks: Sequence[str]) -> Text:
    """A row of the plot: the losses of the seeds as a band, their mean as a dot."""
    cells, (dot, band, before) = [" "] * columns.width, marks
    cells[columns.of(columns.start)] = before
    losses = [each for each in point["losses"] if each is not None]
    if losses:
        for column in range(columns.of(min(losses)), columns.of(max(losses)) + 1):
            cells[column] = band
    if point["mean"] is not None:
        cells[columns.of(point["mean"])] = dot
    return Text("".join(cells), style="" if point["stable"] == len(point["losses"]) else "yellow")


def _note(point: Mapping[str, Any], content: Mapping[str, Any]) -> str:
    """What is special about a rate."""
    named = content["named"]
    notes = [
        name.replace("_", " ")
        for name in NAMES
        if named[name] is not None and named[name]["value"] == point["rate"]
    ]
    seeds = len(point["losses"])
    if point["diverged"]:
        notes.append(f"{point['diverged']} of {seeds} diverged")
    elif point["stable"] < seeds:
        is_slow = point["rate"] < named["fastest"]["value"]
        what = "too slow" if is_slow else "unstable"
        notes.append(f"{seeds - point['stable']} of {seeds} {what}")
    return ", ".join(notes)


def _print_names(console: Any, content: Mapping[str, Any]) -> None:
    table = make_table("", "optimizer.lr", "95 % interval over seeds", numeric=(1,))
    for name, meaning in NAMES.items():
        rate, text = content["named"][name], meaning.format_map(content["settings"])
        if rate is None:
            table.add_row(text, "none", "")
        else:
            more = name == "largest_stable" and content["largest_stable_is_highest_tried"]
            interval = f"{rate['low']:.3g} to {rate['high']:.3g}"
            note = "; higher rates were not tried" if more else ""
            table.add_row(text, f"{rate['value']:.3g}", interval + note)
    console.print(table)
