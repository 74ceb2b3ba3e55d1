"""Run one resolved command in a folder of its own."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.utils import configure_log, run_job
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from mnist_trainer.compute.ranks import SINGLE_PROCESS, RankInfo
from mnist_trainer.compute.world import World, report_on_local_main
from mnist_trainer.config.engine_rules import device_for
from mnist_trainer.data.cache import read_ahead
from mnist_trainer.errors import DivergedError, ExitCode, UserError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.hydra.config_files import copy_config_files
from mnist_trainer.launch.hydra.private import hydra_context
from mnist_trainer.launch.options import path_override
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import (
    RunFolder,
    claim_named_folder,
    claim_run_folder,
    discard_if_unused,
    refuse_used_folder,
)
from mnist_trainer.runs.lock import folder_lock
from mnist_trainer.runs.read import read_file
from mnist_trainer.runs.result import describe_failure, is_completed
from mnist_trainer.runs.resume import Resumption, completed_message
from mnist_trainer.system.console import printable
from mnist_trainer.system.files import atomic_write, write_json
from mnist_trainer.system.log_file import log_to

if TYPE_CHECKING:
    from mnist_trainer.compute.device import Device

NOT_RESUMABLE = (ExitCode.CONFIG, ExitCode.DATA, ExitCode.CHECKPOINT)


def run_single(
    command: ResolvedCommand,
    started: float,
    rank_info: RankInfo = SINGLE_PROCESS,
    *,
    owns_process: bool = True,
    quiet: bool = False,
) -> RunFolder:
    """Run the command, in a folder that is claimed once the run is known to be possible.

    Args:
        started: ``time.perf_counter()`` when the process began.
        rank_info: the rank of this process among those of the run.
        owns_process: whether logging is configured for the whole process, as commands do.
        quiet: whether no progress is shown.

    Raises:
        UserError: of the kind that says what went wrong.
    """
    resumption = command.resumption
    if resumption and _report_resumption(resumption, command, rank_info):
        return resumption.folder
    with report_on_local_main(rank_info):
        device, world = _join(command, rank_info)
    folder = resumption.folder if resumption else _claim_folder(command, world)
    lock = folder_lock(folder.path, "run") if world.is_main_process else nullcontext()
    with removed_if_empty(folder), lock:
        if resumption:
            with faults_of_the_machine(folder), saved_overrides_kept(folder):
                _train(command, folder, started, device, world, owns_process, quiet)
        else:
            with faults_of_the_machine(folder), removed_if_unused(folder, world):
                _train(command, folder, started, device, world, owns_process, quiet)
    world.shutdown()
    return folder


def _report_resumption(
    resumption: Resumption, command: ResolvedCommand, rank_info: RankInfo
) -> bool:
    """Say what of a resumed run is not taken over; whether it has nothing left to do."""
    message = completed_message(resumption.folder, command.config.trainer.epochs)
    if rank_info.rank == 0:
        if message:
            print(printable(message))
        for word in resumption.ignored if not message else ():
            note = f"{word} of that run is not used: type it again to use it."
            print(printable(note, sys.stderr), file=sys.stderr)
    return message is not None


@contextmanager
def removed_if_empty(folder: RunFolder) -> Iterator[None]:
    """Remove a folder that is empty where a signal stops the command: it was claimed just then."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):
            folder.path.rmdir()
        raise


@contextmanager
def removed_if_unused(folder: RunFolder, world: World) -> Iterator[None]:
    """Remove the folder of a new run that fails before its first step.

    Raises:
        ConfigError: another run was in the folder since it was claimed.
    """
    if world.is_main_process:
        refuse_used_folder(folder.path)
    try:
        yield
    except BaseException:
        world.clear_on_main(partial(discard_if_unused, folder))
        raise


def _join(command: ResolvedCommand, rank_info: RankInfo) -> tuple["Device", World]:
    """Select the device, and join the other processes of the run."""
    run_dir = command.typed_folder("hydra.run.dir")
    if run_dir and not command.resumption:
        refuse_used_folder(run_dir)
    config = command.config
    read_ahead(config.data)
    from mnist_trainer.compute.device import select_device
    from mnist_trainer.compute.distributed import init_distributed

    device = select_device(device_for(config.trainer.engine, config.device), rank_info)
    return device, init_distributed(rank_info, device.torch_device)


def _claim_folder(command: ResolvedCommand, world: World) -> RunFolder:
    """The folder of a new run, claimed by the main process for all."""

    def claimed() -> str:
        run_dir = command.typed_folder("hydra.run.dir")
        made = claim_named_folder(run_dir) if run_dir else claim_run_folder(command.config.label)
        return str(made.path)

    return RunFolder(Path(world.broadcast_from_main(claimed)))


def _train(
    command: ResolvedCommand,
    folder: RunFolder,
    started: float,
    device: "Device",
    world: World,
    owns_process: bool,
    quiet: bool,
) -> None:
    """Train as one of Hydra's jobs: it writes ``.hydra`` and sets up logging."""
    from mnist_trainer.training.run import train
    from mnist_trainer.training.tracking.terminal import Terminal

    terminal = Terminal() if quiet else None
    failure: UserError | None = None

    composed = _in_folder(command, folder, world)

    def job(_: DictConfig) -> float | None:
        nonlocal failure
        world.barrier()  # Hydra made the folder in each: none makes it after a mistake removed it.
        try:
            with faults_of_the_machine(folder), record_of_divergence(folder, started, world):
                return train(config, folder, started, terminal, world, device).test.accuracy
        except UserError as error:
            # Hydra would report an exception in its own words.
            failure = world.deduplicate_error(error)
            return None

    config = command.config.resumed_from(folder.path) if command.resumption else command.config
    if owns_process:
        configure_log(composed.hydra.hydra_logging, composed.hydra.verbose)
    with nullcontext() if owns_process else log_to(folder.log):
        context = hydra_context(command.loader)
        returned = run_job(job, composed, "hydra.run.dir", None, context, owns_process)
    if failure is not None:
        raise failure
    # An error that is no user's is raised here.
    _ = returned.return_value


def _in_folder(command: ResolvedCommand, folder: RunFolder, world: World) -> DictConfig:
    """The composed configuration, with the folder that was claimed for the run, and copies there of
    the files that the user composed it of."""
    composed = command.composed
    with open_dict(composed):
        composed.hydra.run.dir = str(folder.path)
        composed.hydra.mode = RunMode.RUN
        if command.resumption:
            composed.resume = str(folder.path)
            words = [w for w in composed.hydra.overrides.task if not w.startswith("resume=")]
            composed.hydra.overrides.task = [*words, path_override("resume", folder.path)]
    if world.is_main_process:
        copy_config_files(composed.hydra, folder)
    return composed


@contextmanager
def saved_overrides_kept(folder: RunFolder) -> Iterator[None]:
    """Restore the settings that a run was started with, where it cannot be resumed with others, or
    diverges with them before its first checkpoint.

    Hydra writes them before the checkpoint is looked at.
    """
    paths = [*(folder.path / ".hydra").glob("*.yaml"), folder.config, folder.environment]
    kept = {path: read_file(path) for path in paths if path.is_file()}
    saved = _last_save(folder)
    try:
        yield
    except UserError as error:
        diverged = error.exit_code == ExitCode.DIVERGED and saved == _last_save(folder)
        if diverged or error.exit_code in NOT_RESUMABLE:
            for path, content in kept.items():
                with atomic_write(path) as file:
                    file.write(content)
        raise


def _last_save(folder: RunFolder) -> int | None:
    """The file that is the last checkpoint; each save makes a new one."""
    last = folder.checkpoints / "last.pt"
    return last.stat().st_mtime_ns if last.exists() else None


@contextmanager
def record_of_divergence(folder: RunFolder, started: float, world: World) -> Iterator[None]:
    """Write a ``result.json`` for a run that diverges, unless an earlier session has completed."""
    try:
        yield
    except DivergedError as error:
        if world.is_main_process and not is_completed(folder.result):
            write_json(folder.result, describe_failure(error, time.perf_counter() - started))
        raise
