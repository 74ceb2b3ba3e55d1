"""Hydra's plugins: only those that a command needs are imported, not all that are installed.

Hydra imports every package below ``hydra_plugins`` before it reads a command line: with the
launchers of this package's extras that takes as long as everything else up to the answer to a
mistake.
"""

import importlib
import os
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig

from mnist_trainer.config.allow_list import trusted_packages
from mnist_trainer.launch.hydra.launchers import EXTRAS, RAY
from mnist_trainer.system.optional_packages import not_importable

EXTERNAL = "hydra_plugins"


class UserConfigDir(SearchPathPlugin):
    """Adds the folder of ``--config-dir`` to those that Hydra looks for configurations in."""

    folder: str | None = None

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        if self.folder is not None:
            search_path.append("command-line", f"file://{self.folder}")


def load_core_plugins() -> Plugins:
    """Hydra's own plugins; installed ones only where the user trusts a package of theirs."""
    if any(f"{package}.".startswith(f"{EXTERNAL}.") for package in trusted_packages()):
        return Plugins.instance()
    with not_importable(EXTERNAL):
        return Plugins.instance()


def register_plugin(node: DictConfig) -> None:
    """Import the launcher or sweeper that a configuration names, if it belongs to an extra."""
    target = str(node._target_)
    if target not in EXTRAS or not target.startswith(f"{EXTERNAL}."):
        return
    if target == RAY:
        # No usage statistics are sent, unless the user has said otherwise.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    module, _, name = target.rpartition(".")
    plugin: Any = getattr(importlib.import_module(module), name)
    load_core_plugins().register(plugin)
    _forget_schemas()


def _forget_schemas() -> None:
    """Drop the schemas that imported plugins have registered: ``configs/hydra`` has their
    settings."""
    groups = ConfigStore.instance().repo.get("hydra", {})
    for extra in EXTRAS.values():
        group, _, choice = extra.choice.removeprefix("hydra/").partition("=")
        groups.get(group, {}).pop(f"{choice}.yaml", None)
