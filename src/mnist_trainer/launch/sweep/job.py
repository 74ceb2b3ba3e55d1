"""One job of a sweep, in whichever process the launcher runs it."""

import logging
import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import InterruptedRunError, PrunedError, UserError
from mnist_trainer.launch.composed import read_settings
from mnist_trainer.launch.hydra.config_files import copy_config_files
from mnist_trainer.launch.hydra.launchers import share_machine
from mnist_trainer.launch.sweep.progress import (
    POLL_SECONDS,
    ended_line,
    print_line,
    started_line,
    terminal_of_a_job,
)
from mnist_trainer.launch.sweep.pruning import make_should_prune
from mnist_trainer.launch.sweep.records import (
    Job,
    Sweep,
    is_finished,
    read_sweep,
    record_failure,
    record_pruned,
    start_attempt,
    validation_accuracy,
)
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.system.log_file import log_to
from mnist_trainer.system.signals import ignore_terminal, stop_signals_raise

log = logging.getLogger(__name__)

SECONDS_TO_WAIT = 30.0
"""How long the process of a sweep that was killed may take to leave its job."""


class SweepStopped(BaseException):
    """Carries a request to stop past Hydra, which takes an exception of a job for its failure and
    goes on."""

    def __init__(self, reason: InterruptedRunError) -> None:
        super().__init__(reason)
        self.reason = reason


def sweep_job(config: DictConfig) -> float:
    """Train, and write down how that ended. What fails here does not end the sweep.

    Returns:
        What a sweeper maximises: the validation accuracy; NaN where there is none.

    Raises:
        SweepStopped: asked to stop, in the process that the sweep was started in.
    """
    started = time.perf_counter()
    hydra = HydraConfig.get()
    share_machine(hydra.launcher, hydra.job.num)
    folder = RunFolder(Path(hydra.runtime.output_dir))
    sweep = read_sweep(folder.path.parent)
    job = next(job for job in sweep.jobs if job.folder.path == folder.path)
    if not sweep.is_here and sweep.stop_file.exists():
        return math.nan
    _attempt(config, job, sweep, started)
    if sweep.is_here:
        print_line(ended_line(job, sweep))
    return validation_accuracy(job.result())


def _attempt(config: DictConfig, job: Job, sweep: Sweep, started: float) -> None:
    """Train, and record a failure."""
    resuming, path = start_attempt(job), job.folder.path
    if sweep.is_here:
        print_line(started_line(job, resuming=resuming))
    failures: list[BaseException] = []
    try:
        with (
            failure_recorded(job, started) as failures,
            stops_with_sweep(sweep),
            folder_lock(path, "job", SECONDS_TO_WAIT),
            faults_of_the_machine(job.folder),
        ):
            settings = read_settings(config, HydraConfig.get())
            _train(settings, job, sweep, started, resuming=resuming)
    except KeyboardInterrupt:  # Before its first step: the next attempt begins where this one did.
        if sweep.is_here:
            raise
        log.info("The job was stopped before its first step.")
    for failure in failures:
        if isinstance(failure, InterruptedRunError) and sweep.is_here:
            raise SweepStopped(failure) from failure


@contextmanager
def failure_recorded(
    job: Job, started: float, log_file: Path | None = None
) -> Iterator[list[BaseException]]:
    """Record what is raised in the context as the end of a job, and go on after it.

    Args:
        started: ``time.perf_counter()`` when the job began.
        log_file: of the job, where the log is not written to it anyway.

    Yields:
        A list to which the failure is added.
    """
    failures: list[BaseException] = []
    try:
        yield failures
    except PrunedError as pruned:
        log.info("Pruned %s", pruned)
        record_pruned(job, pruned, time.perf_counter() - started)
    # Whatever the classes of a user raise is this job's failure, and only its.
    except (Exception, SystemExit) as error:
        failures.append(error)
        with nullcontext() if log_file is None else log_to(log_file):
            log.info("The job has ended early.", exc_info=error)
            try:
                if not is_finished(job):
                    record_failure(job, error, time.perf_counter() - started)
            except UserError as unwritten:
                log.warning("%s", unwritten)


@contextmanager
def stops_with_sweep(sweep: Sweep) -> Iterator[None]:
    """In a process of a launcher: SIGTERM to itself once the sweep is asked to stop."""
    if sweep.is_here:
        yield
        return
    ignore_terminal()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            if sweep.stop_file.exists():
                signal.raise_signal(signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    with stop_signals_raise():
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _train(settings: RunConfig, job: Job, sweep: Sweep, started: float, *, resuming: bool) -> None:
    """Train one job; a trial of a search stops where the pruner says so."""
    from mnist_trainer.training.run import train

    hydra, path = HydraConfig.get(), job.folder.path
    settings = settings.resumed_from(path) if resuming else settings
    should_prune = make_should_prune(sweep.folder, hydra.sweeper, list(hydra.overrides.task))
    copy_config_files(hydra, job.folder)
    terminal = terminal_of_a_job(sweep)
    train(settings, job.folder, started, terminal, should_prune=should_prune)
