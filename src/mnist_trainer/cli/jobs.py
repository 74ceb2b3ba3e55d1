"""From a checked command line to one job or many, each in a folder of its own."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_trainer.command_line import CommandLine, Plan, hand_to_hydra, parse_command_line, plan, quoted, start_hydra
from mnist_trainer.config import read_config
from mnist_trainer.distributed import ALONE, THE_ONLY_ONE, Place, World, find_place, join, said_once_a_machine
from mnist_trainer.errors import ConfigError, UserError
from mnist_trainer.faults import faults_of_the_machine
from mnist_trainer.interruption import InterruptedRunError
from mnist_trainer.launching import share_machine
from mnist_trainer.resume import finished
from mnist_trainer.run_folder import (
    RunFolder,
    claim_named_folder,
    claim_run_folder,
    claim_sweep_folder,
    discard_if_unused,
    refuse_used_folder,
)

log = logging.getLogger(__name__)

NOT_WRITTEN = ("hydra.output_subdir=", "hydra/job_logging=", "hydra.job_logging")
"""Settings of what a run writes of itself, which is left to the first of several processes."""


def run_command(words: Sequence[str], started: float) -> None:
    """Do what the words say.

    Args:
        started: ``time.perf_counter()`` when the process began.
    """
    place = find_place()
    with said_once_a_machine(place):
        command = parse_command_line(words)
        hydra = start_hydra(command)
        checked = plan(hydra, command)
        check_place(place, checked)
    if command.inspects:
        if place.rank == 0:
            hand_to_hydra()
    elif checked.multirun:
        run_sweep(hydra, command, checked)
    else:
        run_single(hydra, command, checked, started, place)


def run_single(hydra: Hydra, command: CommandLine, checked: Plan, started: float, place: Place = THE_ONLY_ONE) -> None:
    """One run, in a folder that is claimed only once the run is known to be possible."""
    resumption = checked.resumption
    if resumption and (said := finished(resumption.folder, checked.config.trainer.epochs)):
        if place.rank == 0:
            print(said)
        return
    with said_once_a_machine(place):
        if checked.run_dir and not resumption:
            refuse_used_folder(checked.run_dir)
        from mnist_trainer.device import select_device

        world = join(place, select_device(checked.config.device, place))
    folder = resumption.folder if resumption else claim_folder(checked, world)

    def job(config: DictConfig) -> float:
        try:
            with faults_of_the_machine(folder):
                return run_job(config, started, world)
        except UserError as error:
            # Hydra would report an exception in its own words.
            raise SystemExitWithError(world.unsaid(error)) from error

    overrides = [word for word in checked.overrides if not word.startswith(("hydra.run.dir=", "resume="))]
    added = [quoted("hydra.run.dir", folder.path), "hydra.mode=RUN"]
    if resumption:
        added.append(quoted("resume", folder.path))
    if not world.is_first:
        overrides = [word for word in overrides if not word.startswith(NOT_WRITTEN)]
        added += ["hydra.output_subdir=null", "hydra/job_logging=errors_only"]
    try:
        with faults_of_the_machine(folder):
            hydra.run(command.config_name, job, [*overrides, *added])
    except BaseException as error:
        if not resumption and world.is_first:
            discard_if_unused(folder)
        if isinstance(error, SystemExitWithError):
            raise error.user_error from error
        raise
    world.leave()


def check_place(place: Place, checked: Plan) -> None:
    """Raises:
    ConfigError: what was typed is not for several processes.
    """
    if place.size == 1:
        return
    if checked.multirun:
        raise ConfigError(
            f"-m: a sweep under torchrun: its {place.size} processes would each start the whole sweep."
            "\nSweep without torchrun: mnist-train -m ...; jobs beside each other: hydra/launcher=joblib"
        )
    size = checked.config.trainer.batch_size * checked.config.trainer.accumulation
    if size < place.size:
        raise ConfigError(
            f"trainer.batch_size={checked.config.trainer.batch_size}: the {size} images of an update are too few for"
            f" {place.size} processes. It counts the images of all of them together: at least {place.size}."
        )


def claim_folder(checked: Plan, world: World) -> RunFolder:
    """The folder of a new run, decided by one process for all."""

    def claimed() -> str:
        made = claim_named_folder(checked.run_dir) if checked.run_dir else claim_run_folder(checked.config.label)
        return str(made.path)

    return RunFolder(Path(world.decide(claimed)))


def run_sweep(hydra: Hydra, command: CommandLine, checked: Plan) -> None:
    """Every combination, one after the other, in one process."""
    folder = checked.sweep_dir or claim_sweep_folder(checked.config.sweep)
    overrides = [word for word in checked.overrides if not word.startswith("hydra.sweep.dir=")]
    # A job is called by what sets it apart from its siblings.
    shared = f"hydra.job.config.override_dirname.exclude_keys=[{','.join(checked.fixed_keys)}]"
    added = [quoted("hydra.sweep.dir", folder), shared, "hydra.mode=MULTIRUN"]
    try:
        hydra.multirun(command.config_name, sweep_job, [*overrides, *added])
    except SystemExitWithError as error:
        raise error.user_error from error


def sweep_job(config: DictConfig) -> float:
    """One job of a sweep; being asked to stop ends the sweep, other errors are Hydra's to report once all jobs are done."""
    job = HydraConfig.get().job
    share_machine(HydraConfig.get().launcher, job.num)
    print(f"\n#{job.num} {job.override_dirname.replace(',', ' ')}", flush=True)
    try:
        with faults_of_the_machine(RunFolder(Path(HydraConfig.get().runtime.output_dir))):
            return run_job(config, time.perf_counter())
    except InterruptedRunError as error:
        raise SystemExitWithError(error) from error


def run_job(config: DictConfig, started: float, world: World = ALONE) -> float:
    """Train with a composed configuration in the folder that Hydra made.

    Returns:
        What a sweeper should maximise: the validation accuracy, or the test accuracy where nothing was held out.
    """
    from mnist_trainer.run import train

    hydra = HydraConfig.get()
    choices = {group: choice for group, choice in hydra.runtime.choices.items() if isinstance(choice, str)}
    folder = RunFolder(Path(hydra.runtime.output_dir))
    settings = read_config(config, choices)
    result = train(settings, folder, started, world)
    return (result.validation or result.test).accuracy


class SystemExitWithError(SystemExit):
    """Carries an error of the user past Hydra's own handling of exceptions."""

    def __init__(self, user_error: UserError) -> None:
        super().__init__(user_error.exit_code)
        self.user_error = user_error
