"""Result table of a sweep: groups of jobs that differ only in seed and fold, best first."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from mnist_trainer.launch.sweep.progress import duration, print_line
from mnist_trainer.launch.sweep.records import Job
from mnist_trainer.report.analysis.folds import count_samples, explain_interval
from mnist_trainer.report.analysis.groups import Group, accuracies
from mnist_trainer.report.read.records import read_run
from mnist_trainer.report.render.document import fold_interval_text, spread_text
from mnist_trainer.runs.result import Status
from mnist_trainer.system.console import make_console, make_table, printable
from mnist_trainer.system.messages import counted

REPEATED = ("seed", "data.fold")
"""The settings over which groups are averaged."""
LONGEST_NUMBER = 10
LONGEST_VALUE = 40
NOT_RANKED = (
    "In the order of the sweep, not ranked: no images were held out (data.validation_size=0), and"
    " to choose by the test images would make their accuracy worth nothing as a test."
)


@dataclass(frozen=True)
class JobGroup(Group):
    """Jobs that differ only in seed and fold, and the runs in their folders."""

    jobs: tuple[Job, ...]

    @property
    def status(self) -> str:
        """Number of jobs that did not complete, by status; "done" if all did."""
        statuses = Counter(job.status() for job in self.jobs)
        num_jobs = statuses.total()
        if num_jobs == 1 and statuses[Status.PRUNED]:
            return f"pruned after epoch {self.runs[0].result.get('epochs')}"
        missing = {
            status: count for status, count in statuses.items() if status is not Status.COMPLETED
        }
        if not missing:
            return "done"
        whole = "" if num_jobs == 1 else f" of {num_jobs}" if len(missing) == 1 else ""
        return ", ".join(
            f"{count}{whole} {status}" if num_jobs > 1 else str(status)
            for status, count in missing.items()
        )


def group_jobs(jobs: Sequence[Job]) -> list[JobGroup]:
    """Group jobs that differ only in seed and fold, and rank the groups by ``rank_key``."""
    members: dict[tuple[tuple[str, str], ...], list[Job]] = {}
    for job in jobs:
        key = tuple((name, value) for name, value in job.settings.items() if name not in REPEATED)
        members.setdefault(key, []).append(job)
    groups = [
        JobGroup(dict(key), tuple(read_run(job.folder.path) for job in alike), tuple(alike))
        for key, alike in members.items()
    ]
    return sorted(groups, key=lambda group: group.rank)


def shown(value: str) -> str:
    """A setting made short: a sampled number with four digits, a long list with both its ends."""
    if len(value) > LONGEST_NUMBER and "." in value:
        with contextlib.suppress(ValueError):
            return f"{float(value):.4g}"
    if len(value) > LONGEST_VALUE:
        kept = LONGEST_VALUE - len("...")
        return f"{value[: kept - kept // 2]}...{value[-(kept // 2) :]}"
    return value


def rows(groups: Sequence[JobGroup]) -> list[list[str]]:
    """Head and rows: rank, settings, number of results, validation, test, mean time, status; with
    folds the interval of the validation accuracy."""
    keys = list(dict.fromkeys(key for group in groups for key in group.settings))
    is_ranked = any(group.validation for group in groups)
    over_folds = any(group.folds for group in groups)
    interval = ["95 % interval"] if over_folds else []
    rank = ["rank"] if is_ranked else []
    head = [*rank, *keys, "n", "validation", *interval, "test", "time", "status"]
    body = [_row(group, keys, over_folds=over_folds) for group in groups]
    if is_ranked:
        places = (str(k) if group.validation else "-" for k, group in enumerate(groups, start=1))
        body = [[place, *line] for place, line in zip(places, body, strict=True)]
    return [head, *body]


def _row(group: JobGroup, keys: Sequence[str], *, over_folds: bool) -> list[str]:
    return [
        *(shown(group.settings.get(key, "-")) for key in keys),
        count_samples(group.completed),
        spread_text(group.validation),
        *([fold_interval_text(group.folds)] if over_folds else []),
        spread_text(group.test),
        duration(group.seconds.mean) if group.seconds else "-",
        group.status,
    ]


def captions(groups: Sequence[JobGroup], others: int, folder: str) -> list[str]:
    """Lines below the table that explain it."""
    said = [*_ranking_caption(groups), *_folds_caption(groups), *_pruned_caption(groups)]
    keys = {key for group in groups for key in group.settings}
    if any(keys - group.settings.keys() for group in groups):
        said.append("A dash below a setting: these jobs do not set it.")
    said.append(f"Time is the mean of a job. Folder: {folder}")
    if others:
        said.append(
            f"{counted(others, 'other job')} in the folder: not of this command, and not shown."
        )
    return said


def _ranking_caption(groups: Sequence[JobGroup]) -> Iterator[str]:
    """How the groups are ranked, or why they are not."""
    ranked = [group for group in groups if group.validation]
    if ranked:
        sizes = {group.size for group in ranked}
        several = any(group.validation and group.validation.n > 1 for group in ranked)
        size = sizes.pop() if len(sizes) == 1 else "n seeds"
        over = f", mean ± standard deviation over {size}" if several else ""
        yield (
            f"Best first by validation accuracy{over}; the test accuracy is for the report, not for"
            " the choice."
        )
    elif any(group.test for group in groups):
        yield NOT_RANKED


def _folds_caption(groups: Sequence[JobGroup]) -> Iterator[str]:
    found = next((group.folds for group in groups if group.folds), None)
    if found:
        yield explain_interval(found)


def _pruned_caption(groups: Sequence[JobGroup]) -> Iterator[str]:
    statuses = Counter(job.status() for group in groups for job in group.jobs)
    if statuses[Status.PRUNED]:
        best = " ".join(f"{key}={shown(value)}" for key, value in groups[0].settings.items())
        yield (
            f"{statuses[Status.PRUNED]} of {counted(statuses.total(), 'trial')} pruned,"
            f" {statuses[Status.COMPLETED]} completed; the best: {best}"
        )


def next_steps(groups: Sequence[JobGroup], folder: str) -> list[str]:
    """Commands to go on with: the report of the sweep, the test of its best job."""
    steps = [f"report    mnist-report {quote(folder)}"]
    # One fold may be easier than another: over folds no single job is the best.
    if groups and groups[0].validation and not groups[0].folds:
        best = max(groups[0].completed, key=lambda run: accuracies([run], "validation"))
        steps.append(f"best job  mnist-eval {quote(best.path)}")
    return steps


def show(jobs: Sequence[Job], others: int, folder: str, question: str | None = None) -> None:
    """Print the table: in colour on a terminal, else as plain text.

    Args:
        question: what the sweep is to answer.
    """
    from mnist_trainer.training.tracking.terminal import is_watched

    groups = group_jobs(jobs)
    lines = rows(groups)
    print_line("")
    if question:
        print_line(f"Question: {question}")
    if is_watched():
        _show_rich(lines)
    else:
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
            print_line("  ".join(cells).rstrip())
    for said in [*captions(groups, others, folder), *next_steps(groups, folder)]:
        print_line(said)


def _show_rich(lines: list[list[str]]) -> None:
    from rich.text import Text

    head, *body = lines
    numbers = ("rank", "n", "validation", "95 % interval", "test", "time")
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
