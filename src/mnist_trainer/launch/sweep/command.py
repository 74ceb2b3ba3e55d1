"""``mnist-train -m``: a sweep from its first job to its table."""

import contextlib
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import configure_log
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.errors import ConfigError, ExitCode, UserError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.hydra.launchers import BASIC_SWEEPER, OPTUNA
from mnist_trainer.launch.hydra.private import hydra_context
from mnist_trainer.launch.options import path_override
from mnist_trainer.launch.overrides import grid
from mnist_trainer.launch.sweep.job import SweepStopped, sweep_job
from mnist_trainer.launch.sweep.launch import ResumableLauncher
from mnist_trainer.launch.sweep.launcher_choice import (
    check_launcher,
    chosen_launcher,
    configured_launcher,
)
from mnist_trainer.launch.sweep.progress import first_line, num_ended, print_line
from mnist_trainer.launch.sweep.records import Job, Sweep, read_jobs
from mnist_trainer.launch.sweep.sweep_file import KEY as SWEEP_FILE
from mnist_trainer.runs.folder import LOCK_FILE, claim_sweep_dir, claim_sweep_folder
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.runs.result import Status
from mnist_trainer.system.messages import counted

MULTIRUN = "multirun.yaml"
FILE_COPY = "sweep_file.yaml"
"""The sweep file, as it was read."""
GOOD = (Status.COMPLETED, Status.PRUNED)
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


def run_sweep(command: ResolvedCommand, argv: Sequence[str]) -> None:
    """Run every job that is not finished yet, then show the table.

    Args:
        argv: the command line as it was typed.

    Raises:
        JobsFailedError: some jobs have no result; all others have.
        StoppedSweepError: asked to stop.
        ConfigError: another process is running the sweep.
    """
    check_launcher(command)
    if command.line.until:
        from mnist_trainer.launch.sweep.until import without_seed

        command = without_seed(command)
    folder, file = claim(command), command.sweep_file
    sweep = Sweep(folder, command=resume_command(argv, folder), total=0, started=time.time())
    sweep.question = file.question if file else None
    with folder_lock(folder, "sweep"), removed_if_refused(folder):
        sweep.stop_file.unlink(missing_ok=True)
        try:
            launch_all(command, sweep)
        except SweepStopped as stopped:
            # Less the way to go on with the job alone.
            reason = str(stopped.reason).partition("\nGo on with")[0]
            message = f"{reason}\n{how_to_resume(sweep)}"
            raise StoppedSweepError(message, stopped.reason.exit_code) from stopped
        except KeyboardInterrupt as stop:
            stop.__notes__ = [how_to_resume(sweep)]
            raise
        _show_results(command, sweep)
        require_results(sweep)


def _show_results(command: ResolvedCommand, sweep: Sweep) -> None:
    """Print the table, and the verdicts where seeds were added until it was decided."""
    # After the jobs: its statistics import NumPy, and a mistake is to be answered at once.
    from mnist_trainer.launch.sweep.table import show

    others = {job.folder.path for job in read_jobs(sweep.folder)} - {
        job.folder.path for job in sweep.jobs
    }
    show(sweep.jobs, len(others), str(sweep), sweep.question)
    if command.line.until:
        from mnist_trainer.launch.sweep.until import show_decision

        show_decision(sweep.folder)


def claim(command: ResolvedCommand) -> Path:
    """The folder of the sweep, which may be there already."""
    folder = command.typed_folder("hydra.sweep.dir")
    if folder is None:
        file = command.sweep_file
        return claim_sweep_folder(command.config.sweep or (file.path.stem if file else None))
    return claim_sweep_dir(folder)


def resume_command(argv: Sequence[str], folder: Path) -> str:
    """The command that resumes this sweep: as typed, with the name of its folder, unless a sweep
    file names that."""
    naming = ("sweep=", "hydra.sweep.dir=", f"{SWEEP_FILE}=")
    if not any(word.startswith(naming) for word in argv):
        argv = [*argv, f"sweep={folder.name}"]
    return shlex.join(["mnist-train", *argv])


@contextlib.contextmanager
def removed_if_refused(folder: Path) -> Iterator[None]:
    """Leave no folder of a sweep that is refused before its first job; where anything else lies in
    it, it stays."""
    try:
        yield
    except ConfigError:
        if {path.name for path in folder.iterdir()} <= {LOCK_FILE, MULTIRUN, FILE_COPY}:
            for name in (LOCK_FILE, MULTIRUN, FILE_COPY):
                (folder / name).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def launch_all(command: ResolvedCommand, sweep: Sweep) -> None:
    """Let the configured sweeper choose the jobs, and the configured launcher run them."""
    config = _sweep_config(command, sweep)
    inner = configured_launcher(config, hydra_context(command.loader))
    launcher = ResumableLauncher(inner, sweep, command, config)
    if command.line.until:
        from mnist_trainer.launch.sweep.until import launch_rounds

        _keep_what_was_asked(command, sweep, config)
        launch_rounds(command, command.line.until, config, launcher)
    elif config.hydra.sweeper._target_ == BASIC_SWEEPER:
        _launch_grid(command, sweep, config, launcher)
    else:
        _launch_search(command, sweep, config, launcher)


def _launch_grid(
    command: ResolvedCommand, sweep: Sweep, config: DictConfig, launcher: ResumableLauncher
) -> None:
    """Run every combination of the values that were typed, or that the sweep file names."""
    jobs = command.jobs
    blocks = [block.axes for block in jobs.blocks]
    batches = list(grid(config, jobs.task_words, blocks, command.loader))
    _keep_what_was_asked(command, sweep, config)
    sweep.total = sum(map(len, batches))
    _announce(sweep)
    for batch in batches:
        launcher.launch(batch, initial_job_idx=len(sweep.jobs))


def _keep_what_was_asked(command: ResolvedCommand, sweep: Sweep, config: DictConfig) -> None:
    """Save the configuration of the whole sweep, and a copy of its sweep file."""
    OmegaConf.save(config, sweep.folder / MULTIRUN)
    if command.sweep_file:
        shutil.copyfile(command.sweep_file.path, sweep.folder / FILE_COPY)


def _launch_search(
    command: ResolvedCommand, sweep: Sweep, config: DictConfig, launcher: ResumableLauncher
) -> None:
    """Let a sweeper that chooses as it goes choose the jobs."""
    words: list[str] = list(config.hydra.overrides.task)
    sweep.total = int(config.hydra.sweeper.get("n_trials") or 0)
    _announce(sweep)
    if config.hydra.sweeper._target_ == OPTUNA:
        from mnist_trainer.launch.hydra.optuna_sweeper import OptunaSweeper

        OptunaSweeper(config, launcher, command.loader).sweep(words)
        return
    sweeper: Any = Plugins.instance().instantiate_sweeper(
        hydra_context=hydra_context(command.loader), task_function=sweep_job, config=config
    )
    # Sweepers of plugins wrap one that is imported only when it is used.
    while hasattr(sweeper, "sweeper"):
        sweeper = sweeper.sweeper
    sweeper.launcher = launcher
    sweeper.sweep(arguments=words)


def _sweep_config(command: ResolvedCommand, sweep: Sweep) -> DictConfig:
    """The configuration of the whole sweep, in the folder that was claimed; sets up logging."""
    words = [word for word in command.words if not word.startswith("hydra.sweep.dir=")]
    of_file = [word for word in command.jobs.fixed.values() if word not in command.jobs.words]
    folder = path_override("hydra.sweep.dir", sweep.folder)
    command.loader.typed_keys |= {"hydra.sweep.dir"}
    config = command.loader.compose(
        [*of_file, *words, *chosen_launcher(command), folder, "hydra.mode=MULTIRUN"],
        RunMode.MULTIRUN,
    )
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    return config


def _announce(sweep: Sweep) -> None:
    jobs = counted(sweep.total, "job") if sweep.total else "some jobs"
    print_line(f"sweep {sweep.folder.name}: {jobs} in {sweep}")
    if sweep.question:
        print_line(f"question: {sweep.question}")


def how_to_resume(sweep: Sweep) -> str:
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
    bad = [job for job in sweep.jobs if states[job.folder.path] not in GOOD]
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
