"""The interfaces of Hydra that are not public, each behind a function of its own.

A test imports each of them, so that a version of Hydra without one fails there, by name.
"""

from argparse import ArgumentParser

from hydra._internal.callbacks import Callbacks
from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.types import HydraContext


def option_parser() -> ArgumentParser:
    """The parser of Hydra's own options, such as ``--multirun`` and ``--cfg``."""
    return get_args_parser()


def hydra_context(loader: ConfigLoader) -> HydraContext:
    """What a launcher is given: how to compose a job, and nobody to call back."""
    return HydraContext(config_loader=loader, callbacks=Callbacks())
