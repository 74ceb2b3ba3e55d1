"""``mnist-train -m``: a sweep from its first job to its table."""

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from mnist_trainer.errors import ConfigError, ExitCode, InterruptedRunError, UserError
from mnist_trainer.launch.command_line import CommandLine, Plan, quoted
from mnist_trainer.launch.sweep.compose import Composer
from mnist_trainer.launch.sweep.job import SweepStopped, sweep_job
from mnist_trainer.launch.sweep.launch import ResumableLauncher, grid, is_grid, typed
from mnist_trainer.launch.sweep.progress import first_line, num_ended, say
from mnist_trainer.launch.sweep.records import Job, Sweep, read_jobs
from mnist_trainer.launch.sweep.table import show
from mnist_trainer.runs.folder import claim_sweep_folder
from mnist_trainer.runs.result import Status
from mnist_trainer.system.messages import counted

LOCK = ".lock"
MULTIRUN = "multirun.yaml"
MOST_TOLD = 6
"""Failures that are listed one by one in the closing message."""


class JobsFailedError(UserError):
    """A sweep that is over, some of its jobs without a result."""

    exit_code = ExitCode.JOBS_FAILED


class StoppedSweepError(UserError):
    """A sweep that was asked to stop."""

    def __init__(self, message: str, exit_code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_sweep(hydra: Hydra, command: CommandLine, checked: Plan, words: Sequence[str]) -> None:
    """Every job that is not finished yet, then the table.

    Args:
        words: the command line as it was typed.

    Raises:
        JobsFailedError: some jobs have no result; all others have.
        StoppedSweepError: asked to stop.
        ConfigError: the sweep is under way already.
    """
    folder = claim(checked)
    sweep = Sweep(folder, command=again(words, folder), total=0, started=time.time())
    with sweep_lock(sweep), gone_if_refused(folder):
        try:
            with stops_on_sigterm():
                launch_all(hydra, command, checked, sweep)
        except SweepStopped as stopped:
            raise StoppedSweepError(
                f"{stop_message(stopped.reason)}\n{how_to_go_on(sweep)}", stopped.reason.exit_code
            ) from stopped
        except KeyboardInterrupt:
            print(how_to_go_on(sweep), file=sys.stderr, flush=True)
            raise
        others = len(
            {job.folder.path for job in read_jobs(folder)} - {job.folder.path for job in sweep.jobs}
        )
        show(sweep.jobs, others, str(sweep))
        require_results(sweep)


def claim(checked: Plan) -> Path:
    """The folder of the sweep, which may be there already."""
    if checked.sweep_dir is None:
        return claim_sweep_folder(checked.config.sweep)
    checked.sweep_dir.mkdir(parents=True, exist_ok=True)
    return checked.sweep_dir.resolve()


def again(words: Sequence[str], folder: Path) -> str:
    """The command that goes on with this sweep: what was typed, and the name of the sweep, which
    may have been the time."""
    if not any(word.startswith(("sweep=", "hydra.sweep.dir=")) for word in words):
        words = [*words, f"sweep={folder.name}"]
    return shlex.join(["mnist-train", *words])


@contextlib.contextmanager
def sweep_lock(sweep: Sweep) -> Iterator[None]:
    """Hold the folder, so that no other command starts the same jobs.

    Raises:
        ConfigError: another one holds it.
    """
    from filelock import FileLock, Timeout

    try:
        held = FileLock(sweep.folder / LOCK).acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"{sweep}: another mnist-train is at work on this sweep. Wait for it to end, or give"
            " this one another name: sweep=NAME"
        ) from error
    with held:
        yield


@contextlib.contextmanager
def gone_if_refused(folder: Path) -> Iterator[None]:
    """Leave no folder of a sweep that is refused before its first job; where anything else lies in
    it, it stays."""
    try:
        yield
    except ConfigError:
        if {path.name for path in folder.iterdir()} <= {LOCK, MULTIRUN}:
            for name in (LOCK, MULTIRUN):
                (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


@contextlib.contextmanager
def stops_on_sigterm() -> Iterator[None]:
    """Between jobs too, SIGTERM ends the sweep in good order; a job that trains has its own way
    with it."""

    def stop(number: int, _: FrameType | None) -> None:
        raise SweepStopped(InterruptedRunError("stopped between two jobs.", number))

    try:
        former = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # Not the main thread, where Python allows no handlers.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def launch_all(hydra: Hydra, command: CommandLine, checked: Plan, sweep: Sweep) -> None:
    """Let the sweeper that is configured choose the jobs, and the launcher that is configured run
    them."""
    overrides = [word for word in checked.overrides if not word.startswith("hydra.sweep.dir=")]
    added = [quoted("hydra.sweep.dir", sweep.folder), "hydra.mode=MULTIRUN"]
    config = hydra.compose_config(
        command.config_name, [*overrides, *added], RunMode.MULTIRUN, with_log_configuration=True
    )
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=command.config_name)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    composer = Composer(hydra, command.config_name, config)

    def recorded(inner: Launcher) -> ResumableLauncher:
        return ResumableLauncher(inner, sweep, composer, checked.fixed_keys)

    if is_grid(config):
        launcher = recorded(Plugins.instance().instantiate_launcher(context, sweep_job, config))
        batches = list(grid(config, typed(config)))
        OmegaConf.save(config, sweep.folder / MULTIRUN)
        sweep.total = sum(map(len, batches))
        say(f"sweep {sweep.folder.name}: {counted(sweep.total, 'job')} in {sweep}")
        for batch in batches:
            launcher.launch(batch, initial_job_idx=len(sweep.jobs))
    else:
        sweeper: Any = Plugins.instance().instantiate_sweeper(
            hydra_context=context, task_function=sweep_job, config=config
        )
        sweep.total = int(config.hydra.sweeper.get("n_trials") or 0)
        say(
            f"sweep {sweep.folder.name}:"
            f" {counted(sweep.total, 'job') if sweep.total else 'some jobs'} in {sweep}"
        )
        # Sweepers that live in plugins are shells around one that is imported only when it is used,
        # or shells of shells.
        inner = sweeper
        while hasattr(inner, "sweeper"):
            inner = inner.sweeper
        inner.launcher = recorded(inner.launcher)
        sweeper.sweep(arguments=typed(config))
    callbacks.on_multirun_end(config=config, config_name=command.config_name)


def stop_message(reason: InterruptedRunError) -> str:
    """Why the sweep stopped, less the way to go on with the job alone."""
    return str(reason).partition("\nGo on with")[0]


def how_to_go_on(sweep: Sweep) -> str:
    """What is done, and what to type."""
    verb = "is" if sweep.total == 1 else "are"
    return (
        f"{num_ended(sweep)} of {counted(sweep.total, 'job')} {verb} done. Go on with:"
        f" {sweep.command}"
    )


def require_results(sweep: Sweep) -> None:
    """Raises:
    JobsFailedError: jobs have failed.
    StoppedSweepError: none has, but some were stopped.
    """
    states = {job.folder.path: job.status() for job in sweep.jobs}
    bad = [job for job in sweep.jobs if states[job.folder.path] is not Status.COMPLETED]
    if not bad:
        return
    stopped = [job for job in bad if states[job.folder.path] is Status.INTERRUPTED and job.result()]
    if len(stopped) == len(bad):
        code = ExitCode(int((stopped[0].result() or {}).get("exit_code", ExitCode.INTERRUPTED)))
        verb = "was" if len(bad) == 1 else "were"
        message = f"{len(bad)} of {counted(sweep.total, 'job')} {verb} stopped."
        raise StoppedSweepError(f"{message}\nGo on with: {sweep.command}", code)
    head = (
        f"{len(bad)} of {counted(sweep.total, 'job')} did not finish; the train.log in the folder"
        " of each says more:"
    )
    lines = [head, *(failure(job) for job in bad[:MOST_TOLD])]
    if len(bad) > MOST_TOLD:
        lines.append(f"and {len(bad) - MOST_TOLD} more, in the same place")
    raise JobsFailedError("\n".join([*lines, f"Try them again with: {sweep.command}"]))


def failure(job: Job) -> str:
    """One line: which job, and why."""
    result = job.result()
    return f"{job.folder}: {first_line(result) if result else 'its process ended without a word'}"
