"""What several tests share: the real data, composed configurations, small problems."""

import os

# Tests run beside each other: threads of one that wait for a core would hold up those of all
# others. Read when NumPy and torch are imported, so it comes first; commands that tests start
# inherit it.
os.environ["OMP_NUM_THREADS"] = "1"

import signal

# A shell ignores Ctrl+C in what it starts with `&`, nohup a closed terminal, and commands that
# tests start inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.embedded import load_mnist
from mnist_trainer.data.images import DataSet, LabelledImages
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.system.collector import collect_rarely
from mnist_trainer.system.signals import STOPPING

# Thousands of tests, and PyTorch, are objects that stay.
collect_rarely()

Compose = Callable[..., RunConfig]


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which MNIST is unpacked once for all tests of a worker."""
    root = tmp_path_factory.mktemp("data")
    load_mnist(root)
    return root


@pytest.fixture(scope="session")
def mnist(data_root: Path) -> DataSet:
    return load_mnist(data_root)


@pytest.fixture(scope="session")
def some_images(mnist: DataSet) -> LabelledImages:
    """The first 640 training images."""
    return mnist.train.first(640)


@pytest.fixture
def compose() -> Iterator[Compose]:
    """The settings that a command line leads to."""

    def composed(*words: str) -> RunConfig:
        return resolve_command(parse_command_line(words)).config

    yield composed
    GlobalHydra.instance().clear()


@pytest.fixture(autouse=True)
def _unchanged_process() -> Iterator[None]:
    """Threads, random state and signal handlers as they were, whatever a test did."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    for number, handler in handlers.items():
        signal.signal(number, handler)
