"""The interfaces of Hydra that are not public, each behind a function of its own.

A test imports each of them, so that a version of Hydra without one fails there, by name.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager

from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.singleton import Singleton
from hydra.types import HydraContext
from omegaconf.basecontainer import BaseContainer


def option_parser() -> ArgumentParser:
    """The parser of Hydra's own options, such as ``--multirun`` and ``--cfg``."""
    return get_args_parser()


def hydra_context(loader: ConfigLoader) -> HydraContext:
    """What a launcher is given: how to compose a job, and nobody to call back."""
    return HydraContext(config_loader=loader, callbacks=Callbacks())


@contextmanager
def separate_hydra() -> Iterator[None]:
    """Give what runs inside a Hydra of its own: the caller may be a Hydra application itself.

    Hydra keeps its configuration, plugins and version in singletons, OmegaConf its resolvers in a
    class.
    """
    instances, resolvers = Singleton._instances, BaseContainer._resolvers
    Singleton._instances = {kind: each for kind, each in instances.items() if kind is ConfigStore}
    BaseContainer._resolvers = dict(resolvers)
    try:
        yield
    finally:
        Singleton._instances, BaseContainer._resolvers = instances, resolvers
