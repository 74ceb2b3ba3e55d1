"""From the configuration that Hydra has composed for a job to its result."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.reader import read_config
from mnist_trainer.runs.folder import RunFolder

if TYPE_CHECKING:
    # A mistake in the configuration is answered before torch is imported.
    from mnist_trainer.runs.result import Result
    from mnist_trainer.training.tracking.terminal import Terminal


def job_folder() -> RunFolder:
    """The folder that Hydra made for the job that is running."""
    return RunFolder(Path(HydraConfig.get().runtime.output_dir))


def chosen(hydra: Any) -> Mapping[str, str]:
    """Group name to the option that was chosen, from Hydra's own part of a configuration."""
    return {
        group: choice for group, choice in hydra.runtime.choices.items() if isinstance(choice, str)
    }


def run_job(
    config: DictConfig,
    started: float,
    terminal: "Terminal | None" = None,
    *,
    goes_on: bool = False,
    world: World = SINGLE_WORLD,
) -> "Result":
    """Train with a composed configuration in the folder that Hydra made.

    Args:
        started: ``time.perf_counter()`` when the job began.
        terminal: what is told of the run; None for the usual.
        goes_on: from the last checkpoint in the folder, as with ``resume=``.
        world: the processes that make the run together.
    """
    from mnist_trainer.training.run import train

    folder = job_folder()
    settings = read_config(config, chosen(HydraConfig.get()))
    if goes_on:
        settings = replace(settings, plain={**settings.plain, "resume": str(folder.path)})
    return train(settings, folder, started, terminal, world)
