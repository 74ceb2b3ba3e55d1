"""Compose configurations with Hydra; each one is checked before anybody sees it."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mnist_trainer.config.shipped import config_dir, group_names
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.hydra.environment import allow_typed_variables
from mnist_trainer.launch.hydra.guard import (
    check_composed,
    check_search_path,
    primary_search_path,
)
from mnist_trainer.launch.hydra.plugins import UserConfigDir, load_core_plugins
from mnist_trainer.launch.options import CommandLine
from mnist_trainer.launch.overrides import check_keys, parse_overrides
from mnist_trainer.launch.paired import keys_of
from mnist_trainer.system.paths import real_path, shortened, user_path

JOB_NAME = "train"
# Composed jobs that are kept until they start; each takes about a megabyte.
MAX_KEPT = 64
# What composition raises; an AttributeError where values are merged into a null section of Hydra,
# a ValueError where a group is deleted by something else than the name of a choice.
# An AssertionError where a key is none.
COMPOSITION_ERRORS = (
    HydraException,
    OmegaConfBaseException,
    AttributeError,
    ValueError,
    AssertionError,
    YAMLError,
)
KEY = re.compile(r"[+~]*([\w./@-]+)")


class CheckedConfigLoader(ConfigLoader):
    """Hydra's loader of configurations, for the command line and for launchers.

    A launcher asks it for the configuration of each job. In the process of the sweep the job was
    composed already, and is handed out; in another process it is composed there.
    """

    def __init__(self, inner: ConfigLoader, line: CommandLine, folders: Sequence[Path]) -> None:
        """Args:
        inner: Hydra's own.
        folders: where the primary configuration may be.
        """
        self.inner = inner
        self.config_name = line.config_name
        self.folders = folders
        self.typed_keys = typed_keys(line.overrides)
        self.kept: dict[tuple[str, ...], DictConfig] = {}

    def compose(self, overrides: Sequence[str], run_mode: RunMode = RunMode.RUN) -> DictConfig:
        """The configuration that overrides lead to, Hydra's section included.

        Raises:
            ConfigError: it cannot be composed; a ``RefusedError`` where it may not be.
        """
        try:
            return self.load_configuration(self.config_name, list(overrides), run_mode, False)
        except COMPOSITION_ERRORS as error:
            raise self.translate_hydra_error(error, overrides) from error

    def compose_job(self, sweep: DictConfig, overrides: Sequence[str]) -> DictConfig:
        """The configuration of one job of a sweep.

        Args:
            sweep: the composed configuration of the sweep.

        Raises:
            ConfigError: as ``compose``.
        """
        try:
            return self.load_sweep_config(sweep, list(overrides))
        except COMPOSITION_ERRORS as error:
            raise self.translate_hydra_error(error, overrides) from error

    def keep(self, overrides: Sequence[str], config: DictConfig) -> None:
        """Have a composed job ready for the launcher: composing takes a tenth of a second."""
        if len(self.kept) < MAX_KEPT:
            self.kept[tuple(overrides)] = config

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """As Hydra's, checked."""
        parsed = parse_overrides(overrides, self.inner)
        typed = [o.value() for o in parsed if o.key_or_group == "hydra.searchpath"]
        primary = primary_search_path(self.folders, config_name or self.config_name)
        for entries in (*typed, primary):
            check_search_path(entries)
        config = self.inner.load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        check_composed(config, self.typed_keys)
        return config

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """As Hydra's, checked; a configuration that was kept is handed out once."""
        kept = self.kept.pop(tuple(sweep_overrides), None)
        if kept is not None:
            return kept
        config = self.inner.load_sweep_config(master_config, sweep_overrides)
        check_composed(config, self.typed_keys)
        return config

    def translate_hydra_error(self, error: Exception, overrides: Sequence[str]) -> ConfigError:
        """The error of this package for what Hydra raised while it composed."""
        if isinstance(error, ConfigCompositionException):
            # The groups alone may not compose either.
            with suppress(*COMPOSITION_ERRORS):
                try:
                    check_keys(self.base_of, parse_overrides(list(overrides), self.inner))
                except ConfigError as found:
                    return found
        if type(error) in (ValueError, AssertionError):
            reason = str(error).partition(" : ")[0] or (
                "a key is missing before @. Settings are key=value words, such as model=cnn"
            )
            return ConfigError(f"{shortened(' '.join(overrides))}: {reason}")
        lines = [each for each in f"{error}\n{error.__cause__ or ''}".splitlines() if each.strip()]
        return ConfigError("\n".join(lines[:6]))

    def base_of(self, choices: list[str]) -> dict[str, Any]:
        """The configuration that choices of groups alone lead to, as plain values."""
        config = self.load_configuration(self.config_name, choices, RunMode.RUN, False)
        plain: Any = OmegaConf.to_container(config, resolve=False)
        return dict(plain)

    def __getstate__(self) -> dict[str, Any]:
        # A job in another process needs one configuration, not those of all.
        return {**self.__dict__, "kept": {}}

    def get_search_path(self) -> Any:
        return self.inner.get_search_path()

    def get_sources(self) -> Any:
        return self.inner.get_sources()

    def list_groups(self, parent_name: str) -> list[str]:
        return self.inner.list_groups(parent_name)

    def get_group_options(self, *arguments: Any, **options: Any) -> list[str]:
        return self.inner.get_group_options(*arguments, **options)

    def compute_defaults_list(self, *arguments: Any, **options: Any) -> Any:
        return self.inner.compute_defaults_list(*arguments, **options)


def typed_keys(overrides: Sequence[str]) -> frozenset[str]:
    """Keys that overrides set; the choice of a group sets none of the keys in it."""
    keys = ((KEY.match(key), word.partition("=")[2]) for word in overrides for key in keys_of(word))
    groups = group_names()
    return frozenset(
        key[1] for key, value in keys if key and (key[1] not in groups or value.startswith("{"))
    )


def open_loader(line: CommandLine) -> CheckedConfigLoader:
    """Hydra's loader for the shipped configurations and those of the user.

    Raises:
        ConfigError: a folder of configurations that does not exist.
    """
    for option, folder in (("--config-path", line.config_path), ("--config-dir", line.config_dir)):
        if folder is not None and not user_path(folder, f"{option} {folder}").is_dir():
            raise ConfigError(f"{option} {folder}: there is no such folder.")
    main = real_path(user_path(line.config_path)) if line.config_path else config_dir()
    own = real_path(user_path(line.config_dir)) if line.config_dir else None
    load_core_plugins().register(UserConfigDir)
    UserConfigDir.folder = None if own is None else str(own)
    GlobalHydra.instance().clear()
    initialize_config_dir(str(main), job_name=JOB_NAME, version_base="1.3")
    allow_typed_variables(line.overrides)
    folders = [main] if own is None else [main, own]
    return CheckedConfigLoader(GlobalHydra.instance().config_loader(), line, folders)
