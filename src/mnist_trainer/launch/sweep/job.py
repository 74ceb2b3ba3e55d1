"""One job of a sweep, in whichever process the launcher runs it."""

import logging
import time

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_trainer.errors import InterruptedRunError, UserError
from mnist_trainer.launch.hydra.launchers import share_machine
from mnist_trainer.launch.job import job_folder, run_job
from mnist_trainer.launch.sweep.progress import ended_line, say, started_line, terminal_of_a_job
from mnist_trainer.launch.sweep.records import (
    begin,
    read_sweep,
    record_failure,
    validation_accuracy,
)
from mnist_trainer.runs.faults import faults_of_the_machine

log = logging.getLogger(__name__)


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
    folder = job_folder()
    sweep = read_sweep(folder.path.parent)
    job = next(job for job in sweep.jobs if job.folder.path == folder.path)
    goes_on = begin(job)
    if sweep.is_here:
        say(started_line(job, goes_on=goes_on))
    try:
        with faults_of_the_machine(folder):
            run_job(config, started, terminal_of_a_job(sweep), goes_on=goes_on)
    except (
        Exception,
        SystemExit,
    ) as error:  # Whatever the classes of a user raise is this job's failure, and only its.
        log.info("The job has ended early.", exc_info=error)
        try:
            record_failure(job, error, time.perf_counter() - started)
        except UserError as unwritten:
            log.warning("%s", unwritten)
        if isinstance(error, InterruptedRunError) and sweep.is_here:
            raise SweepStopped(error) from error
    if sweep.is_here:
        say(ended_line(job, sweep))
    return validation_accuracy(job.result())
