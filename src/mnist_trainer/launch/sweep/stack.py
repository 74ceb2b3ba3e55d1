"""Jobs of a sweep that train as a stack, from their folders to their results."""

import logging
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import InterruptedRunError, UserError
from mnist_trainer.launch.hydra.config_files import copy_config_files
from mnist_trainer.launch.sweep.job import SECONDS_TO_WAIT, SweepStopped
from mnist_trainer.launch.sweep.progress import (
    ended_line,
    print_line,
    started_line,
    terminal_of_a_job,
)
from mnist_trainer.launch.sweep.records import (
    Job,
    Sweep,
    is_finished,
    record_failure,
    start_attempt,
)
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.system.log_file import log_to
from mnist_trainer.system.messages import counted
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.run import prepare
from mnist_trainer.training.stacked.member import Member, share_images
from mnist_trainer.training.stacked.trainer import StackedTrainer
from mnist_trainer.training.tracking.terminal import Terminal

log = logging.getLogger(__name__)


class StackRun:
    """One stack: its jobs are opened one by one, then trained together."""

    def __init__(
        self,
        context: HydraContext,
        sweep: Sweep,
        device: Device,
        world: World,
        locks: ExitStack,
    ) -> None:
        """Args:
        locks: holds the folders of the jobs.
        """
        self.context = context
        self.sweep = sweep
        self.device = device
        self.world = world
        self.locks = locks
        self.stop = Interruption()
        self.jobs: dict[Path, Job] = {}
        self.members: list[Member] = []
        self.started = time.perf_counter()
        self.num_stopped = 0

    def open(self, job: Job, composed: DictConfig, settings: RunConfig) -> None:
        """Prepare a run as one of Hydra's jobs, which writes ``.hydra``, and record it where that
        fails."""

        def task(_: DictConfig) -> None:
            try:
                self.members.append(self._prepare(job, settings))
            # Whatever the classes of a user raise is this job's failure, and only its.
            except (Exception, SystemExit) as error:
                self._record(job, error)

        self.jobs[job.folder.path] = job
        place = ("hydra.sweep.dir", "hydra.sweep.subdir")
        run_job(task, composed, *place, self.context, configure_logging=False)

    def _prepare(self, job: Job, settings: RunConfig) -> Member:
        started, folder = time.perf_counter(), job.folder
        resuming = start_attempt(job)
        print_line(started_line(job, resuming=resuming))
        self.locks.enter_context(folder_lock(folder.path, "job", SECONDS_TO_WAIT))
        with log_to(folder.log), faults_of_the_machine(folder):
            copy_config_files(HydraConfig.get(), folder)
            if resuming:
                settings = settings.resumed_from(folder.path)
            trainer = prepare(settings, folder, started, Terminal(), self.world, self.device)
            return Member(trainer, self.stop)

    def train(self) -> None:
        """Train the members to their ends: together those that are at the same step, for runs that
        go on may have been stopped at different ones.

        Raises:
            SweepStopped: asked to stop.
        """
        share_images(self.members)
        at_step: dict[int, list[Member]] = defaultdict(list)
        for member in self.members:
            at_step[member.trainer.progress.step].append(member)
        for members in at_step.values():
            terminal = terminal_of_a_job(self.sweep)
            signal = StackedTrainer(members, self.stop, terminal, self._ended).run()
            if signal is not None:
                jobs = counted(self.num_stopped, "job")
                raise SweepStopped(InterruptedRunError(f"{jobs} of a stack stopped.", signal))

    def _ended(self, member: Member, error: BaseException | None) -> None:
        self._record(self.jobs[member.folder.path], error)

    def _record(self, job: Job, error: BaseException | None) -> None:
        """Write down how a job ended, and tell of it."""
        self.num_stopped += isinstance(error, InterruptedRunError)
        if error is not None:
            with log_to(job.folder.log):
                log.info("The job has ended early.", exc_info=error)
                try:
                    if not is_finished(job):
                        record_failure(job, error, time.perf_counter() - self.started)
                except UserError as unwritten:
                    log.warning("%s", unwritten)
        print_line(ended_line(job, self.sweep))
