"""What is told of a sweep while it runs: a line as a job starts, a line as it ends, and how far the
whole has come."""

import os
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from mnist_trainer.launch.sweep.records import Job, Sweep
from mnist_trainer.runs.result import Status, read_result
from mnist_trainer.system.console import fit, printable
from mnist_trainer.system.messages import counted
from mnist_trainer.system.signals import Interruption, unblock_in_thread

if TYPE_CHECKING:
    from mnist_trainer.training.tracking.terminal import Terminal

ENDED = (Status.COMPLETED, Status.PRUNED, Status.FAILED, Status.DIVERGED)
POLL_SECONDS = 0.5


def print_line(text: str) -> None:
    """Print a line; a terminal that cannot show a character must not end the sweep."""
    print(fit(printable(text)), flush=True)


def skipped_lines(finished: Sequence[Job], num_asked: int, num_different: int) -> list[str]:
    """What is said of the jobs that need not run."""
    lines = []
    if num_different < num_asked:
        has = "has" if num_asked - num_different == 1 else "have"
        lines.append(
            f"{num_asked - num_different} of {num_asked} jobs {has} the settings of another: they"
            " are run once."
        )
    if finished:
        numbers = ", ".join(f"#{job.number}" for job in finished[:20])
        more = f" and {len(finished) - 20} more" if len(finished) > 20 else ""
        lines.append(
            f"already finished: {len(finished)} of {counted(num_different, 'job')}"
            f" ({numbers}{more})"
        )
    return lines


def started_line(job: Job, *, resuming: bool) -> str:
    """How a job begins."""
    if resuming:
        return f"{job.title}: goes on from its checkpoint"
    return f"{job.title}: tried again" if job.attempts() > 1 else job.title


def ended_line(job: Job, sweep: Sweep, untold: Sequence[Job] = ()) -> str:
    """How a job ended, and how far the sweep had come then.

    Args:
        untold: jobs that may have ended meanwhile, and get a line of their own.
    """
    return f"{job.title}: {how_it_ended(job)}  [{progress(sweep, untold)}]"


def how_it_ended(job: Job) -> str:
    """The result of a job in a few words."""
    result: Any = job.result()
    if result is None:
        return "ended without a record"
    if result.get("status") != Status.COMPLETED:
        separator = "" if result.get("status") == Status.PRUNED else ":"
        return f"{result.get('status')}{separator} {first_line(result)}"
    scores = [
        f"{split} {100 * result[split]['accuracy']:.2f} %"
        for split in ("validation", "test")
        if result.get(split)
    ]
    return ", ".join([*scores, duration(result["seconds"]["total"])])


def first_line(result: dict[str, Any]) -> str:
    """The gist of why a job failed."""
    return (str(result.get("message", "")).splitlines() or [""])[0]


def progress(sweep: Sweep, untold: Sequence[Job] = ()) -> str:
    """Jobs that have ended, less those untold, of how many, and a guess at the time that the others
    take."""
    ended = num_ended(sweep, untold)
    total = sweep.total
    ended_now, left = ended - sweep.ended_before, total - ended
    elapsed = time.time() - sweep.started  # Below 0 where the clock was set back.
    if left <= 0 or ended_now <= 0 or elapsed < 0:
        return f"{ended} of {counted(total, 'job')}"
    return f"{ended} of {counted(total, 'job')}, about {duration(elapsed / ended_now * left)} left"


def num_ended(sweep: Sweep, untold: Sequence[Job] = ()) -> int:
    """Jobs of the command that have come to an end, good or bad, less those untold."""
    left_out = {job.folder.path for job in untold}
    told = [job for job in sweep.jobs if job.folder.path not in left_out]
    return sum(job.status() in ENDED for job in told)


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes = round(seconds / 60) if seconds >= 600 else int(seconds // 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if seconds >= 600 else f"{minutes} min {int(seconds % 60)} s"


def terminal_of_a_job(sweep: Sweep) -> "Terminal":
    """Bars where a person watches one job after the other; else silence: lines of many jobs would
    run into each other."""
    from mnist_trainer.launch.sweep.bars import JobBars
    from mnist_trainer.training.tracking.terminal import Terminal, is_watched

    if sweep.is_here and is_watched():
        return JobBars(num_ended(sweep), sweep.total)
    return Terminal()


class Watcher:
    """A context in which a thread tells of jobs that run in other processes, by what they leave in
    their folders, and hands on to them a request to stop."""

    def __init__(self, sweep: Sweep, jobs: Sequence[Job], interruption: Interruption) -> None:
        self.sweep = sweep
        self.interruption = interruption
        self.waiting = list(jobs)
        self.running: list[Job] = []
        self.attempts = {job.number: job.attempts() for job in jobs}
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self._look()

    def _watch(self) -> None:
        unblock_in_thread()
        while not self.done.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        """Tell what has happened since the last look."""
        if self.interruption.requested is not None and not self.sweep.stop_file.exists():
            self.sweep.stop_file.touch()
            print_line("Stopping: jobs that run save and end. Ctrl+C again does not wait for them.")
        for job in list(self.waiting):
            if job.attempts() > self.attempts[job.number]:
                self.waiting.remove(job)
                record = read_result(job.record) or {}
                if record.get("pid") != os.getpid():
                    self.running.append(job)
                    print_line(started_line(job, resuming=bool(record.get("from_checkpoint"))))
        for job in list(self.running):
            if job.result() is not None:
                self.running.remove(job)
                print_line(ended_line(job, self.sweep, [*self.waiting, *self.running]))
