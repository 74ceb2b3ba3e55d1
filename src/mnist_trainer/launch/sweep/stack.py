"""Jobs of a sweep that train as a stack, from their folders to their results."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job
from hydra.types import HydraContext
from omegaconf import DictConfig

from mnist_trainer.compute.device import Device
from mnist_trainer.compute.world import World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import InterruptedRunError
from mnist_trainer.launch.hydra.config_files import copy_config_files
from mnist_trainer.launch.sweep.job import SECONDS_TO_WAIT, SweepStopped, failure_recorded
from mnist_trainer.launch.sweep.progress import (
    ended_line,
    print_line,
    started_line,
    terminal_of_a_job,
)
from mnist_trainer.launch.sweep.records import Job, Sweep, start_attempt
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.system.log_file import log_to
from mnist_trainer.system.messages import counted
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.run import prepare
from mnist_trainer.training.stacked.member import Member, share_images
from mnist_trainer.training.stacked.trainer import StackedTrainer
from mnist_trainer.training.tracking.terminal import Terminal


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
        self.jobs[job.folder.path] = job

        def task(_: DictConfig) -> None:
            has_failed = True
            with self._recorded(job):
                self.members.append(self._prepare(job, settings))
                has_failed = False
            if has_failed:
                print_line(ended_line(job, self.sweep))

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
            trainer = StackedTrainer(
                members,
                self.stop,
                terminal,
                lambda member: self._recorded(self._job_of(member)),
                lambda member: print_line(ended_line(self._job_of(member), self.sweep)),
            )
            signal = trainer.run()
            if signal is not None:
                said = f"{counted(self.num_stopped, 'job')} of a stack stopped."
                if not self.num_stopped:
                    said = "asked to stop, but all of a stack was done."
                raise SweepStopped(InterruptedRunError(said, signal))

    def _job_of(self, member: Member) -> Job:
        return self.jobs[member.folder.path]

    @contextmanager
    def _recorded(self, job: Job) -> Iterator[None]:
        """Record a failure of a job, and go on after it."""
        with failure_recorded(job, self.started, job.folder.log) as failures:
            yield
        self.num_stopped += any(isinstance(each, InterruptedRunError) for each in failures)
