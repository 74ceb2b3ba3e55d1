"""The settings of one job of a sweep, composed and checked before anything is launched."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from mnist_trainer.config.reader import read_config
from mnist_trainer.launch.command_line import COMPOSITION_ERRORS, explained, quoted
from mnist_trainer.launch.hydra.guard import GuardedConfigLoader
from mnist_trainer.launch.job import chosen
from mnist_trainer.launch.overrides import parse_overrides


class Composer:
    """Composes jobs as a launcher does, and keeps them ready for it."""

    def __init__(self, hydra: Hydra, config_name: str, sweep: DictConfig) -> None:
        """Args:
        sweep: the composed configuration of the whole sweep.
        """
        self.hydra = hydra
        self.config_name = config_name
        self.sweep = sweep

    def compose(self, words: Sequence[str]) -> DictConfig:
        """What the launcher is going to compose from these overrides.

        Raises:
            ConfigError: they cannot be composed; a ``RefusedError`` where they name what may not
                run.
        """
        try:
            return self.hydra.config_loader.load_sweep_config(self.sweep, list(words))
        except COMPOSITION_ERRORS as error:
            raise explained(
                error, self.hydra, self.config_name, parse_overrides(list(words))
            ) from error

    def keep(self, words: Sequence[str], folder: Path, config: DictConfig) -> list[str]:
        """Settle the folder of a job, and spare the launcher the composing.

        Returns:
            The overrides that the launcher is to be given.
        """
        settled = [*words, quoted("hydra.sweep.subdir", folder)]
        with read_write(config), open_dict(config):
            config.hydra.sweep.subdir = str(folder)
        loader = self.hydra.config_loader
        if isinstance(loader, GuardedConfigLoader):
            loader.keep(settled, config)
        return settled


def checked_settings(config: DictConfig) -> dict[str, Any]:
    """The resolved settings of a job, without Hydra's own part.

    Raises:
        ConfigError: names every setting that is wrong.
    """
    names = [str(name) for name in config if name != "hydra"]
    return dict(read_config(OmegaConf.masked_copy(config, names), chosen(config.hydra)).plain)
