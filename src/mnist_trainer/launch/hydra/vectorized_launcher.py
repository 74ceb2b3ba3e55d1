"""The launcher ``vectorized``: jobs that differ in little train in this process as one model."""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError, InterruptedRunError, UserError
from mnist_trainer.launch.composed import read_composed
from mnist_trainer.launch.hydra.config_files import copy_config_files
from mnist_trainer.launch.hydra.launchers import BASIC_LAUNCHER
from mnist_trainer.launch.hydra.loader import CheckedConfigLoader
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
    read_sweep,
    record_failure,
    start_attempt,
)
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.runs.result import read_result
from mnist_trainer.system.log_file import log_to
from mnist_trainer.system.messages import counted
from mnist_trainer.system.signals import Interruption
from mnist_trainer.training.stacked.eligibility import LAUNCHER, MAY_DIFFER, stack_key

if TYPE_CHECKING:
    from mnist_trainer.compute.device import Device
    from mnist_trainer.training.stacked.member import Member

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Launched:
    """A job that is to run."""

    job: Job
    words: list[str]
    number: int
    """As Hydra counts jobs."""
    settings: RunConfig

    @property
    def goes_on(self) -> bool:
        """Whether it was stopped before, and has a checkpoint."""
        goes_on = (read_result(self.job.record) or {}).get("goes_on")
        return bool(goes_on) and any(self.job.folder.checkpoints.glob("*.pt"))


class VectorizedLauncher(Launcher):
    """Trains stacks of jobs, one stack after the other, and what is in no stack one by one."""

    def __init__(self, stack_size: int) -> None:
        """Args:
        stack_size: jobs of a stack at most.

        Raises:
            ConfigError: fewer than two are no stack.
        """
        if type(stack_size) is not int or stack_size < 2:
            raise ConfigError(
                f"hydra.launcher.stack_size={stack_size}: must be a whole number from 2; for jobs"
                f" one after the other leave out {LAUNCHER}"
            )
        self.stack_size = stack_size

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.context = hydra_context
        self.config = config
        single = config.copy()
        with open_dict(single):
            single.hydra.launcher = {"_target_": BASIC_LAUNCHER}
        self.basic = Plugins.instance().instantiate_launcher(hydra_context, task_function, single)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """Run the jobs.

        Returns:
            Nothing: the jobs' records say how they ended.

        Raises:
            ConfigError: the device computes in a precision that a stack does not have.
            SweepStopped: asked to stop.
        """
        setup_globals()
        sweep = read_sweep(Path(self.config.hydra.sweep.dir).absolute())
        numbered = enumerate(job_overrides, start=initial_job_idx)
        launched = [self._read(list(words), number, sweep) for number, words in numbered]
        for settings in {each.settings.device: each.settings for each in launched}.values():
            select_stack_device(settings)
        for stack in self._stacks(launched):
            if len(stack) > 1:
                self._train_stack(stack, sweep)
            else:
                self.basic.launch([stack[0].words], stack[0].number)
        return []

    def compose(self, words: list[str]) -> DictConfig:
        """The configuration of a job, of which there is a copy for the next time as well."""
        loader = self.context.config_loader
        composed = loader.load_sweep_config(self.config, words)
        if isinstance(loader, CheckedConfigLoader):
            loader.keep(words, composed)
        return composed

    def _read(self, words: list[str], number: int, sweep: Sweep) -> Launched:
        composed = self.compose(words)
        name = str(composed.hydra.sweep.subdir)
        job = next(job for job in sweep.jobs if job.folder.path.name == name)
        return Launched(job, words, number, read_composed(composed))

    def _stacks(self, launched: Sequence[Launched]) -> Iterator[list[Launched]]:
        """Jobs that train together; says of those that train alone why."""
        groups: dict[str, list[Launched]] = defaultdict(list)
        for each in launched:
            groups["" if each.goes_on else stack_key(each.settings)].append(each)
        for each in groups.pop("", ()):
            print_line(f"{each.job.title}: trains alone: it goes on, and a stack begins at step 0")
            yield [each]
        for group in groups.values():
            stacks = [
                group[start : start + self.stack_size]
                for start in range(0, len(group), self.stack_size)
            ]
            for stack in stacks:
                if len(stack) == 1 and len(launched) > 1:
                    print_line(
                        f"{stack[0].job.title}: trains alone: no job that is left differs from it"
                        f" in nothing but {', '.join(MAY_DIFFER)}"
                    )
                yield stack

    def _train_stack(self, stack: Sequence[Launched], sweep: Sweep) -> None:
        """Train jobs together, and record how each ended.

        Raises:
            SweepStopped: asked to stop.
        """
        from mnist_trainer.compute.device import unchanged_threads

        numbers = ", ".join(f"#{each.job.number}" for each in stack)
        print_line(f"{counted(len(stack), 'job')} as one stack: {numbers}")
        with unchanged_threads(), ExitStack() as locks:
            run = StackRun(self.context, sweep, locks, select_stack_device(stack[0].settings))
            members = [run.open(each, self.compose(each.words)) for each in stack]
            run.train([member for member in members if member is not None])


class StackRun:
    """One stack, from its first folder to its last result."""

    def __init__(
        self, context: HydraContext, sweep: Sweep, locks: ExitStack, device: "Device"
    ) -> None:
        self.context = context
        self.sweep = sweep
        self.locks = locks
        self.device = device
        self.stop = Interruption()
        self.jobs: dict[Path, Job] = {}
        self.started = time.perf_counter()
        self.num_stopped = 0

    def open(self, launched: Launched, composed: DictConfig) -> "Member | None":
        """Prepare a run as one of Hydra's jobs, which writes ``.hydra``; None where that fails."""
        opened: list[Member] = []

        def task(_: DictConfig) -> None:
            try:
                opened.append(self._prepare(launched))
            # Whatever the classes of a user raise is this job's failure, and only its.
            except (Exception, SystemExit) as error:
                self._record(launched.job, error)

        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = launched.number
        place = ("hydra.sweep.dir", "hydra.sweep.subdir")
        run_job(task, composed, *place, self.context, configure_logging=False)
        return opened[0] if opened else None

    def _prepare(self, launched: Launched) -> "Member":
        from mnist_trainer.training.run import prepare
        from mnist_trainer.training.stacked.member import Member
        from mnist_trainer.training.tracking.terminal import Terminal

        job, folder = launched.job, launched.job.folder
        self.jobs[folder.path] = job
        start_attempt(job)
        print_line(started_line(job, resuming=False))
        self.locks.enter_context(folder_lock(folder.path, "job", SECONDS_TO_WAIT))
        with log_to(folder.log), faults_of_the_machine(folder):
            copy_config_files(HydraConfig.get(), folder)
            started = time.perf_counter()
            trainer = prepare(launched.settings, folder, started, Terminal(), device=self.device)
            return Member(trainer, self.stop)

    def train(self, members: "list[Member]") -> None:
        """Train the members to their ends.

        Raises:
            SweepStopped: asked to stop.
        """
        from mnist_trainer.training.stacked.member import share_images
        from mnist_trainer.training.stacked.trainer import StackedTrainer

        share_images(members)
        terminal = terminal_of_a_job(self.sweep)
        trainer = StackedTrainer(members, self.stop, terminal, self._ended)
        signal = trainer.run()
        if signal is not None:
            jobs = counted(self.num_stopped, "job")
            raise SweepStopped(InterruptedRunError(f"{jobs} of a stack stopped.", signal))

    def _ended(self, member: "Member", error: BaseException | None) -> None:
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


def select_stack_device(settings: RunConfig) -> "Device":
    """The device of a stack, without graphs: they hold the step of one run.

    Raises:
        ConfigError: it would compute in mixed precision.
    """
    from mnist_trainer.compute.device import select_device

    device = select_device(replace(settings.device, graph=False))
    if device.precision != "fp32":
        raise ConfigError(
            f"{LAUNCHER}: device.precision={settings.device.precision} computes in"
            f" {device.precision} on this {device.type} device, and torch.func does not: type"
            " device.precision=fp32"
        )
    return device
