"""What a sweep knows of its jobs, as files: ``sweep.json`` in its folder, ``job.json`` and
``result.json`` in each job's."""

import os
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mnist_trainer.errors import ExitCode, MachineError, PrunedError
from mnist_trainer.runs.folder import RUN_MARKS, RunFolder, display_path, leading_number
from mnist_trainer.runs.result import Status, describe_failure, describe_pruned, read_result
from mnist_trainer.system.files import write_json

PROCESS_DIED = (
    "Its process died, or was killed with that of another job: for want of memory, as a rule. It"
    " goes on next time."
)


@dataclass(frozen=True)
class Job:
    """One run of a sweep."""

    folder: RunFolder
    number: int
    """The first part of the folder's name; stays with the job."""
    settings: Mapping[str, str]
    """Swept key to the value of this job, as typed."""
    identity: str
    apart: Mapping[str, str]
    """Swept settings that make another job of it without being part of the identity."""

    @property
    def record(self) -> Path:
        return self.folder.path / "job.json"

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Equal for two jobs that would do the same."""
        return self.identity, tuple(sorted(self.apart.items()))

    @property
    def title(self) -> str:
        """How the job is called on the terminal."""
        return " ".join(
            [f"#{self.number}", *(f"{key}={value}" for key, value in self.settings.items())]
        )

    def result(self) -> dict[str, Any] | None:
        """What was recorded of how the job ended; None while it has not."""
        return read_result(self.folder.result)

    def status(self) -> Status:
        """By what lies in the folder."""
        result = self.result()
        if result is None:
            return Status.INTERRUPTED if self.attempts() else Status.WAITING
        try:
            return Status(str(result.get("status")))
        except ValueError:
            return Status.FAILED

    def attempts(self) -> int:
        """How often the job was started."""
        return int((read_result(self.record) or {}).get("attempts", 0))

    def plain(self) -> dict[str, Any]:
        """As the entry of ``sweep.json``."""
        return {
            "folder": self.folder.path.name,
            "number": self.number,
            "settings": dict(self.settings),
            "identity": self.identity,
            "apart": dict(self.apart),
        }


def validation_accuracy(result: Mapping[str, Any] | None) -> float:
    """What a sweeper maximises; NaN for a job that failed or held no images out."""
    scores = (result or {}).get("validation")
    return (
        float(scores["accuracy"])
        if isinstance(scores, dict) and "accuracy" in scores
        else float("nan")
    )


def read_jobs(sweep: Path) -> list[Job]:
    """The jobs whose folders lie in that of a sweep, by their numbers; other folders are passed
    over."""
    found = [_job(path.parent, read_result(path)) for path in sweep.glob("*/job.json")]
    return sorted((job for job in found if job is not None), key=lambda job: job.number)


def folders_without_record(sweep: Path) -> list[RunFolder]:
    """Folders of jobs that have begun, and whose ``job.json`` is missing or damaged, so that it
    does not say which they are."""
    known = {job.folder.path for job in read_jobs(sweep)}
    paths = [
        path
        for path in sweep.iterdir()
        if path not in known and leading_number(path.name) is not None
    ]
    begun = [
        path for path in paths if any((path / mark).exists() for mark in ("job.json", *RUN_MARKS))
    ]
    return [RunFolder(path) for path in sorted(begun)]


def written_anew(job: Job, folders: Sequence[RunFolder]) -> Job | None:
    """The job as it lies completed in one of these folders, by what its ``result.json`` says; its
    record is written anew.

    Settings that are no part of the identity are known by the folder's name alone.

    Returns:
        None where it lies in none of them.
    """
    name = job.folder.path.name.partition("-")[2]
    for folder in folders:
        number = leading_number(folder.path.name)
        there = Job(
            folder, job.number if number is None else number, job.settings, job.identity, job.apart
        )
        if is_finished(there) and (not job.apart or folder.path.name.partition("-")[2] == name):
            write_json(there.record, there.plain())
            return there
    return None


def _job(folder: Path, entry: Mapping[str, Any] | None) -> Job | None:
    """A job from its entry; None where it is not one."""
    if entry is None:
        return None
    try:
        number, settings, hashed, marks = (
            entry[name] for name in ("number", "settings", "identity", "apart")
        )
        return Job(RunFolder(folder), int(number), dict(settings), str(hashed), dict(marks))
    except (KeyError, TypeError, ValueError):
        return None


def start_attempt(job: Job) -> bool:
    """Note that the job starts, and tidy up what an attempt has left that does not count.

    Returns:
        Whether there is a checkpoint of this very job to go on from.
    """
    record = read_result(job.record) or {}
    if not record.get("goes_on"):
        # A kill from here on must not bring back what was given up.
        shutil.rmtree(job.folder.checkpoints, ignore_errors=True)
    job.folder.result.unlink(missing_ok=True)
    has_begun = any(job.folder.checkpoints.glob("*.pt"))
    attempt = {
        "attempts": job.attempts() + 1,
        "goes_on": True,
        "from_checkpoint": has_begun,
        "started": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }
    write_json(job.record, {**job.plain(), **attempt})
    return has_begun


def prepare_retry(job: Job) -> None:
    """Before a job that has ended short of its end is started again: whether it goes on or begins
    anew.

    One that was stopped, or that the machine failed, goes on from its checkpoint. One that failed
    by its own doing begins anew: the code may have changed since. Its log stays.
    """
    result = job.result()
    if result is None:
        return
    stopped = (
        result.get("status") == Status.INTERRUPTED
        or result.get("exit_code") == ExitCode.ENVIRONMENT
    )
    write_json(job.record, {**(read_result(job.record) or job.plain()), "goes_on": stopped})
    job.folder.result.unlink(missing_ok=True)


def record_failure(job: Job, error: BaseException, seconds: float) -> None:
    """Write down how a job ended that did not come to a result."""
    write_json(job.folder.result, {**describe_failure(error, seconds), "identity": job.identity})


def record_death(job: Job, seconds: float) -> None:
    """Write down that the process of a job is gone, with no word of its own."""
    record_failure(job, MachineError(PROCESS_DIED), seconds)


def record_pruned(job: Job, error: PrunedError, seconds: float) -> None:
    """Write down where a trial was stopped by the pruner."""
    write_json(job.folder.result, {**describe_pruned(error, seconds), "identity": job.identity})


@dataclass
class Sweep:
    """One command's view of a sweep: the folder, and the jobs that the command asked for."""

    folder: Path
    command: str
    """What to type to go on."""
    total: int
    """Jobs that the command is going to have; more where a sweeper finds out only as it goes."""
    jobs: list[Job] = field(default_factory=list)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    started: float = 0.0
    """Seconds since the epoch."""
    ended_before: int = 0
    """Jobs that the command need not or cannot run."""
    question: str | None = None
    """What the sweep is to answer, from its sweep file."""

    @property
    def is_here(self) -> bool:
        """Whether this very process is the one that the command was typed for."""
        return (self.host, self.pid) == (socket.gethostname(), os.getpid())

    def __str__(self) -> str:
        return display_path(self.folder)

    @property
    def stop_file(self) -> Path:
        """The request to the jobs in other processes, also on other machines, to save and end."""
        return self.folder / ".stop"

    def add(self, jobs: Sequence[Job], *, num_ended: int, num_repeated: int) -> None:
        """Take up jobs that the command has come to, and tell of them.

        Args:
            num_ended: how many of them need not or cannot run.
            num_repeated: jobs asked for besides, that would do what another one does.
        """
        self.jobs += jobs
        self.ended_before += num_ended
        self.total = max(self.total - num_repeated, len(self.jobs))
        self.write()

    def write(self) -> None:
        """Tell the jobs, wherever they run."""
        plain = {
            "command": self.command,
            "total": self.total,
            "host": self.host,
            "pid": self.pid,
            "started": self.started,
            "ended_before": self.ended_before,
            "question": self.question,
            "jobs": [job.plain() for job in self.jobs],
        }
        write_json(self.folder / "sweep.json", plain)


def read_sweep(folder: Path) -> Sweep:
    """What the command that is at work wrote down."""
    plain = read_result(folder / "sweep.json") or {}
    entries: Iterable[dict[str, Any]] = plain.get("jobs", ())
    jobs = [_job(folder / str(entry.get("folder")), entry) for entry in entries]
    return Sweep(
        folder=folder,
        command=str(plain.get("command", "")),
        total=int(plain.get("total", 0)),
        jobs=[job for job in jobs if job is not None],
        host=str(plain.get("host", "")),
        pid=int(plain.get("pid", 0)),
        started=float(plain.get("started", 0)),
        ended_before=int(plain.get("ended_before", 0)),
        question=plain.get("question"),
    )


def is_finished(job: Job) -> bool:
    """Whether the job is completed or pruned with these settings: a run may have been resumed
    by hand since."""
    result = job.result() or {}
    ended = result.get("status") in (Status.COMPLETED, Status.PRUNED)
    return ended and result.get("identity") == job.identity
