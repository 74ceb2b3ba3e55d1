"""The settings in a composed configuration."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import RunConfig


def read_composed(config: DictConfig) -> RunConfig:
    """The settings of a composed configuration, Hydra's section left out.

    Raises:
        ConfigError: names every setting that is wrong.
    """
    own = OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])
    return read_settings(own, config.hydra)


def read_settings(config: DictConfig, hydra: Any) -> RunConfig:
    """As ``read_composed``, where Hydra has parted its section from the rest."""
    choices = hydra.runtime.choices.items()
    return read_config(config, {group: each for group, each in choices if isinstance(each, str)})
