"""From a checked command line to one job or many, each in a folder of its own."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra._internal.hydra import Hydra
from omegaconf import DictConfig

from mnist_trainer.compute.distributed import init_distributed
from mnist_trainer.compute.ranks import SINGLE_PROCESS, RankInfo, find_rank_info
from mnist_trainer.compute.world import World, report_on_local_main
from mnist_trainer.errors import ConfigError, DivergedError, ExitCode, UserError
from mnist_trainer.launch.command_line import (
    CommandLine,
    Plan,
    delegate_to_hydra,
    parse_command_line,
    plan,
    quoted,
    start_hydra,
)
from mnist_trainer.launch.job import run_job
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import (
    RunFolder,
    claim_named_folder,
    claim_run_folder,
    discard_if_unused,
    refuse_used_folder,
)
from mnist_trainer.runs.result import describe_failure, is_completed
from mnist_trainer.runs.resume import finished
from mnist_trainer.system.files import atomic_write, write_json

NOT_WRITTEN = ("hydra.output_subdir=", "hydra/job_logging=", "hydra.job_logging")
"""Settings of what a run writes of itself, which is left to the first of several processes."""


def run_command(words: Sequence[str], started: float) -> None:
    """Do what the words say.

    Args:
        started: ``time.perf_counter()`` when the process began.
    """
    place = find_rank_info()
    with report_on_local_main(place):
        command = parse_command_line(words)
        hydra = start_hydra(command)
        checked = plan(hydra, command)
        check_place(place, checked)
    if command.inspects:
        if place.rank == 0:
            delegate_to_hydra()
    elif command.explain:
        from mnist_trainer.cli.explain import print_explanation

        if place.rank == 0:
            print_explanation(checked.config, command.explain)
    elif checked.multirun:
        run_many(hydra, command, checked, words)
    else:
        run_single(hydra, command, checked, started, place)


def run_single(
    hydra: Hydra,
    command: CommandLine,
    checked: Plan,
    started: float,
    place: RankInfo = SINGLE_PROCESS,
) -> None:
    """One run, in a folder that is claimed only once the run is known to be possible."""
    resumption = checked.resumption
    if resumption and (said := finished(resumption.folder, checked.config.trainer.epochs)):
        if place.rank == 0:
            print(said)
        return
    with report_on_local_main(place):
        if checked.run_dir and not resumption:
            refuse_used_folder(checked.run_dir)
        from mnist_trainer.compute.device import select_device

        world = init_distributed(place, select_device(checked.config.device, place).torch_device)
    folder = resumption.folder if resumption else claim_folder(checked, world)

    def job(config: DictConfig) -> float:
        try:
            with faults_of_the_machine(folder), record_of_divergence(folder, started, world):
                return run_job(config, started, world=world).test.accuracy
        except UserError as error:
            # Hydra would report an exception in its own words.
            raise SystemExitWithError(world.deduplicate_error(error)) from error

    overrides = [
        word for word in checked.overrides if not word.startswith(("hydra.run.dir=", "resume="))
    ]
    added = [quoted("hydra.run.dir", folder.path), "hydra.mode=RUN"]
    if resumption:
        added.append(quoted("resume", folder.path))
    if not world.is_main_process:
        overrides = [word for word in overrides if not word.startswith(NOT_WRITTEN)]
        added += ["hydra.output_subdir=null", "hydra/job_logging=errors_only"]
    try:
        with faults_of_the_machine(folder), settings_kept(folder):
            hydra.run(command.config_name, job, [*overrides, *added])
    except BaseException as error:
        if not resumption and world.is_main_process:
            discard_if_unused(folder)
        if isinstance(error, SystemExitWithError):
            raise error.user_error from error
        raise
    world.shutdown()


@contextmanager
def settings_kept(folder: RunFolder) -> Iterator[None]:
    """Give back to a run the words that it was started with, where it turns out that it cannot go
    on with those typed now.

    Hydra writes them down before the checkpoint is looked at.
    """
    kept = {path: path.read_bytes() for path in (folder.path / ".hydra").glob("*.yaml")}
    try:
        yield
    except SystemExitWithError as error:
        if error.user_error.exit_code in (ExitCode.CONFIG, ExitCode.DATA, ExitCode.CHECKPOINT):
            for path, content in kept.items():
                with atomic_write(path) as file:
                    file.write(content)
        raise


@contextmanager
def record_of_divergence(folder: RunFolder, started: float, world: World) -> Iterator[None]:
    """Leave a ``result.json`` of a run that diverges, unless an earlier session has left one of a
    run that was completed."""
    try:
        yield
    except DivergedError as error:
        if world.is_main_process and not is_completed(folder.result):
            write_json(folder.result, describe_failure(error, time.perf_counter() - started))
        raise


def check_place(place: RankInfo, checked: Plan) -> None:
    """Raises:
    ConfigError: what was typed is not for several processes.
    """
    if place.size == 1:
        return
    if checked.multirun:
        raise ConfigError(
            f"-m: a sweep under torchrun: its {place.size} processes would each start the whole"
            " sweep.\nSweep without torchrun: mnist-train -m ...; jobs beside each other:"
            " hydra/launcher=joblib"
        )
    size = checked.config.trainer.batch_size * checked.config.trainer.accumulation
    if size < place.size:
        raise ConfigError(
            f"trainer.batch_size={checked.config.trainer.batch_size}: the {size} images of an"
            f" update are too few for {place.size} processes. It counts the images of all of them"
            f" together: at least {place.size}."
        )


def claim_folder(checked: Plan, world: World) -> RunFolder:
    """The folder of a new run, decided by one process for all."""

    def claimed() -> str:
        made = (
            claim_named_folder(checked.run_dir)
            if checked.run_dir
            else claim_run_folder(checked.config.label)
        )
        return str(made.path)

    return RunFolder(Path(world.broadcast_from_main(claimed)))


def run_many(hydra: Hydra, command: CommandLine, checked: Plan, words: Sequence[str]) -> None:
    """Every combination, as one sweep."""
    if runs_here(checked) and not any(
        key.partition(".")[0] == "device" for key in checked.swept_keys
    ):
        from mnist_trainer.compute.device import select_device

        # Otherwise every job would find out for itself. Jobs that run elsewhere may have another
        # device there.
        select_device(checked.config.device)
    from mnist_trainer.launch.sweep.command import run_sweep

    run_sweep(hydra, command, checked, words)


def runs_here(checked: Plan) -> bool:
    """Whether the jobs of the sweep run in this process."""
    return checked.launcher.rpartition(".")[2] == "BasicLauncher"


class SystemExitWithError(SystemExit):
    """Carries an error of the user past Hydra's own handling of exceptions."""

    def __init__(self, user_error: UserError) -> None:
        super().__init__(user_error.exit_code)
        self.user_error = user_error
