"""Result table of a sweep: groups of jobs that differ only in the seed, best first."""

import contextlib
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnist_trainer.launch.sweep.progress import duration, print_line
from mnist_trainer.launch.sweep.records import Job
from mnist_trainer.runs.ranking import Rank, rank_key
from mnist_trainer.runs.result import Status
from mnist_trainer.system.console import make_console, make_table, printable
from mnist_trainer.system.messages import counted

REPEATED = "seed"
"""The setting over which groups are averaged."""
LONGEST_NUMBER = 10
LONGEST_VALUE = 40
NOT_RANKED = (
    "In the order of the sweep, not ranked: no images were held out (data.validation_size=0), and"
    " to choose by the test images would make their accuracy worth nothing as a test."
)


@dataclass(frozen=True)
class Group:
    """Jobs that differ only in the seed, and their results."""

    settings: Mapping[str, str]
    statuses: Counter[Status]
    validation: tuple[float, ...]
    """Accuracies of the completed jobs; empty where none held images out."""
    validation_loss: tuple[float, ...]
    test: tuple[float, ...]
    seconds: tuple[float, ...]
    pruned_after: int | None = None
    """Last epoch of a single pruned job."""

    @property
    def rank(self) -> Rank:
        accuracy = statistics.fmean(self.validation) if self.validation else None
        loss = statistics.fmean(self.validation_loss) if self.validation_loss else None
        return rank_key(bool(self.test), accuracy, loss)

    @property
    def status(self) -> str:
        """Number of jobs that did not complete, by status; "done" if all did."""
        if self.pruned_after is not None:
            return f"pruned after epoch {self.pruned_after}"
        num_jobs = self.statuses.total()
        missing = {
            status: count
            for status, count in self.statuses.items()
            if status is not Status.COMPLETED
        }
        if not missing:
            return "done"
        whole = "" if num_jobs == 1 else f" of {num_jobs}" if len(missing) == 1 else ""
        return ", ".join(
            f"{count}{whole} {status}" if num_jobs > 1 else str(status)
            for status, count in missing.items()
        )


def groups(jobs: Sequence[Job]) -> list[Group]:
    """Group jobs that differ only in the seed, and rank the groups by ``rank_key``."""
    members: dict[tuple[tuple[str, str], ...], list[Job]] = {}
    for job in jobs:
        key = tuple((name, value) for name, value in job.settings.items() if name != REPEATED)
        members.setdefault(key, []).append(job)
    found = [_group(dict(key), together) for key, together in members.items()]
    return sorted(found, key=lambda group: group.rank)


def _group(settings: dict[str, str], jobs: Sequence[Job]) -> Group:
    results: list[Any] = [job.result() for job in jobs if job.status() is Status.COMPLETED]
    held_out = [result["validation"] for result in results if result.get("validation")]
    pruned = [job.result() or {} for job in jobs if job.status() is Status.PRUNED]
    return Group(
        settings=settings,
        statuses=Counter(job.status() for job in jobs),
        validation=tuple(scores["accuracy"] for scores in held_out),
        validation_loss=tuple(scores["loss"] for scores in held_out),
        test=tuple(result["test"]["accuracy"] for result in results),
        seconds=tuple(result["seconds"]["total"] for result in results),
        pruned_after=pruned[0].get("epochs") if pruned and len(jobs) == 1 else None,
    )


def spread(values: Sequence[float]) -> str:
    """Accuracies as mean ± sample standard deviation in percent; a single one has no spread."""
    if not values:
        return "-"
    deviation = f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.2f}{deviation} %"


def shown(value: str) -> str:
    """A setting made short: a sampled number with four digits, a long list with both its ends."""
    if len(value) > LONGEST_NUMBER and "." in value:
        with contextlib.suppress(ValueError):
            return f"{float(value):.4g}"
    if len(value) > LONGEST_VALUE:
        kept = LONGEST_VALUE - len("...")
        return f"{value[: kept - kept // 2]}...{value[-(kept // 2) :]}"
    return value


def rows(jobs: Sequence[Job]) -> list[list[str]]:
    """Head and rows: rank, settings, number of results, validation, test, mean time, status."""
    found = groups(jobs)
    keys = list(dict.fromkeys(key for group in found for key in group.settings))
    is_ranked = any(group.validation for group in found)
    lines = [[*(["rank"] if is_ranked else []), *keys, "n", "validation", "test", "time", "status"]]
    for place, group in enumerate(found, start=1):
        rank = [str(place) if group.validation else "-"] if is_ranked else []
        time = duration(statistics.fmean(group.seconds)) if group.seconds else "-"
        values = [shown(group.settings.get(key, "-")) for key in keys]
        lines.append(
            [
                *rank,
                *values,
                str(len(group.test)),
                spread(group.validation),
                spread(group.test),
                time,
                group.status,
            ]
        )
    return lines


def captions(jobs: Sequence[Job], others: int, folder: str) -> list[str]:
    """Lines below the table that explain it."""
    found = groups(jobs)
    sizes = {len(group.validation) for group in found if group.validation}
    said = []
    if sizes:
        over = (
            f", mean ± standard deviation over {max(sizes) if len(sizes) == 1 else 'n'} seeds"
            if max(sizes) > 1
            else ""
        )
        said.append(
            f"Best first by validation accuracy{over}; the test accuracy is for the report, not for"
            " the choice."
        )
    elif any(group.test for group in found):
        said.append(NOT_RANKED)
    statuses = Counter(job.status() for job in jobs)
    if statuses[Status.PRUNED]:
        settings = found[0].settings
        best = " ".join(f"{key}={shown(value)}" for key, value in settings.items())
        said.append(
            f"{statuses[Status.PRUNED]} of {counted(len(jobs), 'trial')} pruned,"
            f" {statuses[Status.COMPLETED]} completed; the best: {best}"
        )
    said.append(f"Time is the mean of a job. Folder: {folder}")
    if others:
        said.append(
            f"{counted(others, 'other job')} in the folder: not of this command, and not shown."
        )
    return said


def show(jobs: Sequence[Job], others: int, folder: str) -> None:
    """Print the table: in colour on a terminal, else as plain text."""
    from mnist_trainer.training.tracking.terminal import is_watched

    lines = rows(jobs)
    print_line("")
    if is_watched():
        _show_rich(lines)
    else:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            print_line("  ".join(cells).rstrip())
    for caption in captions(jobs, others, folder):
        print_line(caption)


def _show_rich(lines: list[list[str]]) -> None:
    from rich.text import Text

    head, *body = lines
    numbers = ("rank", "n", "validation", "test", "time")
    table = make_table(*map(Text, head), numeric=[head.index(n) for n in numbers if n in head])
    for line in body:
        if line[-3] == "-":
            style = "red"
        elif line[-1] != "done":
            style = "yellow"
        else:
            style = "bold green" if line[0] == "1" else ""
        table.add_row(*(Text(printable(cell)) for cell in line), style=style)
    make_console().print(table)
