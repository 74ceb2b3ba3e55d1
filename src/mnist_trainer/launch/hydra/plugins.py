"""Hydra's plugins: only those that a command needs are imported, not all that happen to be
installed.

Hydra imports every package below ``hydra_plugins`` before it reads a command line: with the
launchers and sweepers of this package's extras that takes as long as everything else up to the
answer to a mistake.
"""

import importlib
import os
from collections import defaultdict

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.plugins.plugin import Plugin
from omegaconf import DictConfig

from mnist_trainer.config.allow_list import trusted_packages
from mnist_trainer.launch.hydra.launchers import EXTRAS, OPTUNA, RAY

CORE = "hydra._internal.core_plugins"
EXTERNAL = "hydra_plugins"


class NeededPlugins(Plugins):
    """Hydra's own plugins; those that are installed beside it only where the user trusts one of
    them."""

    def _initialize(self) -> None:
        if any(f"{package}.".startswith(f"{EXTERNAL}.") for package in trusted_packages()):
            super()._initialize()
            return
        self.plugin_type_to_subclass_list = defaultdict(list)
        found, self.stats = self._scan_all_plugins([importlib.import_module(CORE)])
        for plugin in found:
            self.register(plugin)

    def _instantiate(self, config: DictConfig) -> Plugin:
        """The one launcher or sweeper that is used is imported now, if it is of an extra."""
        target = str(config._target_)
        if target == OPTUNA:
            from mnist_trainer.launch.hydra.optuna_sweeper import OptunaSweeper

            return OptunaSweeper(config)
        if target in EXTRAS:
            if target == RAY:
                # Tells its makers nothing, unless the user has said otherwise.
                os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            module, _, name = target.rpartition(".")
            self.register(getattr(importlib.import_module(module), name))
        return super()._instantiate(config)


def forget_schemas() -> None:
    """Drop what imported plugins have said of their settings: they are told by the files in
    ``configs/hydra``."""
    groups = ConfigStore.instance().repo.get("hydra", {})
    for extra in EXTRAS.values():
        group, _, choice = extra.choice.removeprefix("hydra/").partition("=")
        groups.get(group, {}).pop(f"{choice}.yaml", None)


def keep_plugins_out() -> None:
    """Let Hydra know no other plugins than those that are needed; to be called before Hydra looks
    for any."""
    instances: dict[type, object] = Singleton._instances  # type: ignore[assignment]
    if Plugins not in instances:
        instances[Plugins] = NeededPlugins()
        # Known under the name that Hydra looks for, and leaves out where it sends its state to
        # other processes.
        del instances[NeededPlugins]
