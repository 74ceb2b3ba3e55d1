"""Which launcher runs the jobs of a sweep."""

import sys
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.hydra.launchers import (
    BASIC_LAUNCHER,
    BASIC_SWEEPER,
    IN_THIS_PROCESS,
    PROCESSES,
    PROCESSES_CHOICE,
    VECTORIZED,
)
from mnist_trainer.launch.hydra.plugins import register_plugin
from mnist_trainer.launch.sweep.job import sweep_job
from mnist_trainer.training.stacked.eligibility import require_stackable

if TYPE_CHECKING:
    from mnist_trainer.launch.hydra.local_launcher import LocalLauncher

ON_THIS_MACHINE = (*IN_THIS_PROCESS, PROCESSES)


def check_launcher(command: ResolvedCommand) -> None:
    """Raise where no job of the sweep could run in this process, before there is a folder."""
    if command.launcher == VECTORIZED:
        require_stackable(command.config)
    if command.launcher in ON_THIS_MACHINE and not _is_swept(command, "device"):
        from mnist_trainer.compute.device import select_device, unchanged_threads

        # Otherwise every job would find out for itself. Jobs that run elsewhere may have another
        # device there.
        with unchanged_threads():
            select_device(command.config.device)


def chosen_launcher(command: ResolvedCommand) -> list[str]:
    """The words that choose the launcher, where the user has not and jobs beside each other pay: on
    several CPU cores.

    Jobs that differ in their device may need one that a fork cannot have; NumPy has threads of its
    own.
    """
    names_one = any(
        word.startswith(("hydra/launcher=", "hydra.launcher.")) for word in command.words
    )
    sweeper, engine = command.composed.hydra.sweeper._target_, command.config.trainer.engine
    # A folder named by --config-path may lack it.
    is_there = PROCESSES_CHOICE.partition("=")[2] in command.loader.get_group_options(
        "hydra/launcher"
    )
    if command.launcher != BASIC_LAUNCHER or names_one or not is_there or sys.platform != "linux":
        return []
    if sweeper != BASIC_SWEEPER or engine == "numpy" or _is_swept(command, "device"):
        return []
    import torch

    from mnist_trainer.compute.device import select_device, unchanged_threads

    with unchanged_threads():
        on_cpu = select_device(command.config.device).type == "cpu"
    return [PROCESSES_CHOICE] if on_cpu and torch.get_num_threads() > 1 else []


def configured_launcher(config: DictConfig, context: HydraContext) -> Launcher:
    """The launcher that the configuration names, set up.

    Raises:
        ConfigError: it does not go with the sweeper.
    """
    target = config.hydra.launcher._target_
    launcher: LocalLauncher | None = None
    if target == PROCESSES:
        from mnist_trainer.launch.hydra.process_launcher import ProcessLauncher

        launcher = ProcessLauncher(config.hydra.launcher.n_jobs)
    elif target == VECTORIZED:
        from mnist_trainer.launch.hydra.vectorized_launcher import VectorizedLauncher

        _require_grid(config)
        launcher = VectorizedLauncher(config.hydra.launcher.stack_size)
    if launcher is None:
        register_plugin(config.hydra.launcher)
        return Plugins.instance().instantiate_launcher(context, sweep_job, config)
    launcher.setup(hydra_context=context, task_function=sweep_job, config=config)
    return launcher


def _require_grid(config: DictConfig) -> None:
    """Raises:
    ConfigError: a stack of jobs is asked for with a sweeper that chooses as it goes.
    """
    if config.hydra.sweeper._target_ != BASIC_SWEEPER:
        raise ConfigError(
            "hydra/launcher=vectorized: a sweeper that chooses as it goes tries few jobs at a time,"
            " and prunes them one by one. Leave out hydra/sweeper, or hydra/launcher"
        )


def _is_swept(command: ResolvedCommand, group: str) -> bool:
    return any(key.partition(".")[0] == group for key in command.jobs.swept_keys)
