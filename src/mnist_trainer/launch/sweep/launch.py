"""Between Hydra's sweeper, which says what to run, and its launcher, which runs it: who each job
is, and what is left to do."""

import math
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from mnist_trainer.errors import ConfigError, InterruptedRunError, MachineError, RefusedError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.launchers import IN_THIS_PROCESS, VECTORIZED
from mnist_trainer.launch.options import path_override
from mnist_trainer.launch.sweep.job import SweepStopped
from mnist_trainer.launch.sweep.progress import Watcher, print_line, skipped_lines
from mnist_trainer.launch.sweep.records import (
    Job,
    Sweep,
    folders_without_record,
    is_finished,
    prepare_retry,
    read_jobs,
    record_death,
    record_failure,
    start_attempt,
    validation_accuracy,
    written_anew,
)
from mnist_trainer.runs.config_hash import config_hash, unhashed_overrides
from mnist_trainer.runs.folder import RunFolder, numbers_taken, run_label
from mnist_trainer.runs.result import Status
from mnist_trainer.system.signals import Interruption, blocked_in_children
from mnist_trainer.training.stacked.eligibility import require_stackable


class ResumableLauncher(Launcher):
    """A launcher that hands on to another what is not finished yet, and answers from the records of
    the jobs."""

    def __init__(
        self, inner: Launcher, sweep: Sweep, command: ResolvedCommand, config: DictConfig
    ) -> None:
        """Args:
        inner: the launcher that was configured, set up.
        config: the composed configuration of the whole sweep.
        """
        self.inner = inner
        self.sweep = sweep
        self.loader = command.loader
        self.config = config
        self.fixed_keys = command.fixed_keys
        launcher = str(config.hydra.launcher._target_)
        self.in_this_process = launcher in IN_THIS_PROCESS
        self.vectorized = launcher == VECTORIZED
        self.found = {job.key: job for job in read_jobs(sweep.folder) if not _trained_on(job)}
        self.unrecorded = folders_without_record(sweep.folder)
        """Folders that may hold jobs of the sweep, and do not say which."""
        self.reported: set[Path] = set()
        self.numbers = numbers_taken(sweep.folder)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """The inner launcher has been set up already."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run what is left to do of these jobs.

        Returns:
            For each the validation accuracy that was recorded; a failure where there is none.
        """
        numbered = enumerate(job_overrides, start=initial_job_idx)
        requests = [self._identify(list(words), index) for index, words in numbered]
        self._report_unrecorded()
        todo = self._add_to_sweep(requests)
        self._launch([(each.job, self._prepare_retry(each)) for each in todo], initial_job_idx)
        pairs = zip(job_overrides, requests, strict=True)
        return [_returned(words, each.job) for words, each in pairs]

    def _add_to_sweep(self, requests: Sequence["JobRequest"]) -> list["JobRequest"]:
        """Record the jobs of these requests in the sweep, and say which of them need not run.

        Returns:
            Those left to run; of several that would do the same, one.
        """
        known = {job.folder.path for job in self.sweep.jobs}
        by_folder = {each.job.folder.path: each for each in requests}
        new = [each for path, each in by_folder.items() if path not in known]
        finished = [each.job for each in new if is_finished(each.job)]
        todo = [each for each in new if each.problem is None and each.job not in finished]
        num_ended, num_repeated = len(new) - len(todo), len(requests) - len(new)
        self.sweep.add([each.job for each in new], num_ended=num_ended, num_repeated=num_repeated)
        for line in skipped_lines(finished, len(requests), len(new)):
            print_line(line)
        for each in new:
            if each.problem:
                _record_impossible(each.job, each.problem)
        return todo

    def _launch(self, todo: list[tuple[Job, list[str]]], initial_job_idx: int) -> None:
        """Run jobs; where processes die and take the launcher with them, the jobs that had not
        started are launched again."""
        while todo:
            attempts = {job.number: job.attempts() for job, _ in todo}
            try:
                self._launch_once(todo, initial_job_idx)
                return
            except BrokenExecutor as error:
                started = [job for job, _ in todo if job.attempts() > attempts[job.number]]
                if not started:
                    raise MachineError(
                        f"The launcher could not start its processes: {error}"
                    ) from error
                for job in started:
                    if job.result() is None:
                        record_death(job, 0.0)
                todo = [(job, words) for job, words in todo if job not in started]

    def _launch_once(self, todo: list[tuple[Job, list[str]]], initial_job_idx: int) -> None:
        """Run jobs; the first request to stop ends them with a checkpoint.

        Raises:
            SweepStopped: asked to stop.
        """
        words, interruption = [words for _, words in todo], Interruption()
        with Watcher(self.sweep, [job for job, _ in todo], interruption):
            if self.in_this_process:  # Jobs in this process have their own way with signals.
                self.inner.launch(words, initial_job_idx)
                return
            with blocked_in_children(), interruption:
                try:
                    self.inner.launch(words, initial_job_idx)
                except RuntimeError:
                    # Launchers take processes that have ended for lost jobs.
                    if interruption.requested is None:
                        raise
        if interruption.requested is not None:
            raise SweepStopped(InterruptedRunError("stopped.", interruption.requested))

    def _identify(self, words: list[str], index: int) -> "JobRequest":
        """The job that these words stand for: the one whose folder is there already, or a new one.

        Raises:
            ConfigError: it would run what may not run, or cannot run as the launcher would have
                it; so nothing of the sweep does.
        """
        settings = dict(_swept(words, self.fixed_keys))
        config, problem = None, None
        try:
            config = self.loader.compose_job(self.config, words)
            read = read_composed(config)
            hashed = config_hash(dict(read.plain))
        except RefusedError:
            raise
        except ConfigError as error:
            # It has no settings to go by; what was typed has to do.
            problem, hashed = error, config_hash({"words": sorted(words)})
        else:
            if self.vectorized:
                require_stackable(read)
        marks = unhashed_overrides(settings)
        there = self.found.get((hashed, tuple(sorted(marks.items()))))
        if there is None:
            number = index if index not in self.numbers else max(self.numbers) + 1
            label = run_label(
                number, ",".join(sorted(f"{key}={value}" for key, value in settings.items()))
            )
            there = Job(RunFolder(self.sweep.folder / label), number, settings, hashed, marks)
            if whole := written_anew(there, self.unrecorded):
                self.unrecorded.remove(whole.folder)
                there = whole
        job = Job(there.folder, there.number, settings, hashed, marks)
        self.numbers.add(job.number)
        self.found[job.key] = job
        return JobRequest(job, words, config, problem)

    def _report_unrecorded(self) -> None:
        """Name the folders that none of the jobs was found in, once."""
        for folder in self.unrecorded:
            if folder.path not in self.reported:
                self.reported.add(folder.path)
                state = "cannot be read" if (folder.path / "job.json").exists() else "is missing"
                print_line(
                    f"{folder}: job.json {state}, so it is not known which job this is; it is left"
                    " alone, and not counted"
                )

    def _prepare_retry(self, request: "JobRequest") -> list[str]:
        """The overrides for the launcher, once the job's folder is as it should be at its start.

        The folder is settled here, and the launcher is spared the composing.
        """
        prepare_retry(request.job)
        if request.config is None:
            return request.words
        folder = request.job.folder.path.relative_to(self.sweep.folder)
        words = [*request.words, path_override("hydra.sweep.subdir", folder)]
        with read_write(request.config), open_dict(request.config):
            request.config.hydra.sweep.subdir = str(folder)
        self.loader.keep(words, request.config)
        return words


@dataclass(frozen=True)
class JobRequest:
    """A job that the sweeper asks for."""

    job: Job
    words: list[str]
    config: DictConfig | None
    """Composed; None where that cannot be done."""
    problem: ConfigError | None
    """Why it cannot run."""


def _record_impossible(job: Job, problem: ConfigError) -> None:
    """A combination of settings that is not one: nothing to launch, but a record like that of any
    other failure."""
    job.folder.path.mkdir(exist_ok=True)
    start_attempt(job)
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    with job.folder.log.open("a", encoding="utf-8") as file:
        file.writelines(
            [
                f"{now} ERROR   {__name__}: The job cannot run.\n",
                *traceback.format_exception(problem),
            ]
        )
    record_failure(job, problem, 0.0)
    print_line(f"{job.title}: cannot run: {str(problem).splitlines()[0]}")


def _trained_on(job: Job) -> bool:
    """Whether someone has gone on with the job by hand, with other settings: it is no longer the
    job that it was."""
    result = job.result() or {}
    return result.get("status") == Status.COMPLETED and not is_finished(job)


def _swept(words: Sequence[str], fixed_keys: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Key and value of what sets a job apart from its siblings."""
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        if key not in fixed_keys and not key.startswith("hydra"):
            yield key, value.strip("'\"")


class FailedJob(JobReturn):
    """To look at its value raises: so a sweeper notes a failed trial, where a NaN would end
    Optuna's search.

    Hydra's own would print what the sweep has told already.
    """

    @property
    def return_value(self) -> Any:
        raise ValueError(f"{' '.join(self.overrides or ())}: no validation accuracy")

    @return_value.setter
    def return_value(self, _: Any) -> None:
        raise AttributeError("a job that failed has no value")


def _returned(words: Sequence[str], job: Job) -> JobReturn:
    accuracy = validation_accuracy(job.result())
    if math.isnan(accuracy):
        return FailedJob(
            overrides=list(words), status=JobStatus.FAILED, working_dir=str(job.folder.path)
        )
    returned = JobReturn(
        overrides=list(words), status=JobStatus.COMPLETED, working_dir=str(job.folder.path)
    )
    returned.return_value = accuracy
    return returned
