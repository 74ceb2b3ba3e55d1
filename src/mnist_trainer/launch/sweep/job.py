"""One job of a sweep, in whichever process the launcher runs it."""

import logging
import time
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_trainer.errors import PrunedError, UserError
from mnist_trainer.launch.command import read_settings
from mnist_trainer.launch.hydra.launchers import share_machine
from mnist_trainer.launch.sweep.progress import (
    ended_line,
    print_line,
    started_line,
    terminal_of_a_job,
)
from mnist_trainer.launch.sweep.pruning import make_should_prune
from mnist_trainer.launch.sweep.records import (
    read_sweep,
    record_failure,
    record_pruned,
    start_attempt,
    validation_accuracy,
)
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.system.signals import InterruptedRunError

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
    folder = RunFolder(Path(hydra.runtime.output_dir))
    sweep = read_sweep(folder.path.parent)
    job = next(job for job in sweep.jobs if job.folder.path == folder.path)
    resuming = start_attempt(job)
    if sweep.is_here:
        print_line(started_line(job, resuming=resuming))
    try:
        with faults_of_the_machine(folder):
            from mnist_trainer.training.run import train

            settings = read_settings(config, hydra)
            settings = settings.resumed_from(folder.path) if resuming else settings
            pruner = make_should_prune(sweep.folder, hydra.sweeper, list(hydra.overrides.task))
            terminal = terminal_of_a_job(sweep)
            train(settings, folder, started, terminal, should_prune=pruner)
    except PrunedError as pruned:
        log.info("Pruned %s", pruned)
        record_pruned(job, pruned, time.perf_counter() - started)
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
        print_line(ended_line(job, sweep))
    return validation_accuracy(job.result())
