"""Hydra, held to this package's list of targets: nothing that a configuration says of Hydra itself
runs unchecked.

Hydra reads its own part of a configuration before a job starts: it imports packages to look for
configurations in them, calls what a logging configuration names, and sets environment variables. So
the check sits where every configuration comes from, whether of a run, of a sweep or of each job in
it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.importlib_resources_config_source import (
    ImportlibResourcesConfigSource as _Packages,
)
from hydra._internal.hydra import Hydra
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from mnist_trainer.config.allow_list import (
    TRUST_VARIABLE,
    check_hydra_section,
    is_trusted,
    refusal,
    refused_targets,
)
from mnist_trainer.errors import RefusedError
from mnist_trainer.launch.hydra.launchers import hazards
from mnist_trainer.launch.hydra.plugins import forget_schemas

# Where Hydra keeps configurations of its own.
HYDRAS_OWN = "hydra.conf"
# Composed jobs that are kept until they start; each takes about a megabyte.
MOST_KEPT = 64


def create_guarded_hydra(job_name: str, search_path: ConfigSearchPath) -> Hydra:
    """As ``Hydra.create_main_hydra2``, with every composed configuration checked."""
    # Loads what reads "file://" and "pkg://", of which the latter is then replaced.
    Plugins.instance()
    SourcesRegistry.instance().types["pkg"] = ImportlibResourcesConfigSource
    hydra = Hydra(task_name=job_name, config_loader=GuardedConfigLoader(search_path))
    GlobalHydra.instance().initialize(hydra)
    return hydra


class ImportlibResourcesConfigSource(_Packages):
    """Configurations inside a Python package, which is imported to find them: so it has to be
    trusted.

    Named as the class that it replaces, because Hydra's registry goes by the name.
    """

    def __init__(self, provider: str, path: str) -> None:
        """Raises:
        RefusedError: the package is neither Hydra's own nor trusted.
        """
        super().__init__(provider=provider, path=path)
        if (
            self.path != HYDRAS_OWN
            and not self.path.startswith(f"{HYDRAS_OWN}.")
            and not is_trusted(self.path)
        ):
            package = self.path.partition(".")[0]
            raise RefusedError(
                f"hydra.searchpath: {path} would import the package {package}, which is not on the"
                " list.\nName a folder: hydra.searchpath=[file:///PATH], or trust it:"
                f" {TRUST_VARIABLE}={package} mnist-train ..."
            )


class GuardedConfigLoader(ConfigLoaderImpl):
    """Composes as Hydra does, then checks what was composed of Hydra's own part."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.kept: dict[tuple[str, ...], DictConfig] = {}

    def keep(self, overrides: Sequence[str], config: DictConfig) -> None:
        """Have a composed job ready for the launcher that is going to ask for it: composing takes a
        tenth of a second."""
        if len(self.kept) < MOST_KEPT:
            self.kept[tuple(overrides)] = config

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: list[str]
    ) -> DictConfig:
        """The configuration of one job; handed out once if it was kept."""
        kept = self.kept.pop(tuple(sweep_overrides), None)
        return super().load_sweep_config(master_config, sweep_overrides) if kept is None else kept

    def __getstate__(self) -> dict[str, Any]:
        # A job in another process needs one configuration, not those of all.
        return {**self.__dict__, "kept": {}}

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Raises:
        RefusedError: something in it is not on the list.
        """
        forget_schemas()
        config = super().load_configuration(
            config_name, overrides, run_mode, from_shell, validate_sweep_overrides
        )
        section: Any = OmegaConf.to_container(config.hydra, resolve=False)
        refuse_swept_hydra(section)
        refuse_environment(section)
        check_hydra_section(section)
        if problems := list(hazards(section)):
            raise RefusedError("\n".join(problems))
        # A sweep composes all of its jobs before the first one starts: here a hostile choice among
        # them is found in time.
        rest: Any = OmegaConf.to_container(
            OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        )
        problems = [
            problem for group, node in rest.items() for problem in refused_targets(node, group)
        ]
        if problems := [problem for problem in problems if "${" not in problem]:
            raise refusal(problems)
        return config


def refuse_swept_hydra(hydra: Mapping[str, Any]) -> None:
    """Raises:
    RefusedError: a parameter of the sweeper is a setting of Hydra, which would escape the check of
    the sweep.
    """
    sweeper = hydra.get("sweeper")
    parameters = sweeper.get("params") if isinstance(sweeper, Mapping) else None
    for key in parameters if isinstance(parameters, Mapping) else ():
        if str(key).lstrip("+~").startswith("hydra"):
            raise RefusedError(
                f"hydra.sweeper.params.{key}: Hydra's own settings cannot be swept."
                ' Sweep settings of the run, such as hydra.sweeper.params.seed="0,1,2"'
            )


def refuse_environment(hydra: Mapping[str, Any]) -> None:
    """Raises:
    RefusedError: the configuration would set environment variables, which say what is trusted and
    what is started.
    """
    job = hydra.get("job")
    variables: Any = job.get("env_set") if isinstance(job, Mapping) else None
    copied: Sequence[str] = job.get("env_copy") or () if isinstance(job, Mapping) else ()
    if wrong := next((name for name in variables or () if name not in copied), None):
        raise RefusedError(
            f"hydra.job.env_set.{wrong}: a configuration may set no environment variables."
            f" Set it in the shell: {wrong}=... mnist-train ..."
        )
