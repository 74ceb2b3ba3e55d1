"""The launcher ``processes``: jobs beside each other on the CPU cores of this machine, each in a
fork of the process of the sweep, which has imported PyTorch and read the images for all of them.

It is imported once a sweep begins: torch is here.
"""

import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing import connection, get_context
from multiprocessing.context import ForkProcess

import torch

from mnist_trainer.compute.device import select_device, unchanged_threads
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.loading import load_splits
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.errors import ConfigError, UserError
from mnist_trainer.launch.hydra.launchers import PROCESSES_CHOICE
from mnist_trainer.launch.hydra.local_launcher import Launched, LocalLauncher
from mnist_trainer.launch.sweep.progress import POLL_SECONDS, print_line
from mnist_trainer.launch.sweep.records import Sweep, record_death
from mnist_trainer.system.messages import counted

PRELOADED = (
    "mnist_trainer.training.run",
    "mnist_trainer.training.tracking.tensorboard",
    "mnist_trainer.training.tracking.closing",
)
FOR_TENSORBOARD = ("torch.utils.tensorboard", "PIL.Image")
"""Modules that a job would import otherwise, each time anew."""


class ProcessLauncher(LocalLauncher):
    """Runs as many jobs at a time as there are cores, each with its share of these as threads."""

    def __init__(self, n_jobs: int | None) -> None:
        """Args:
        n_jobs: jobs at a time; None: one for each core.

        Raises:
            ConfigError: there is no such number of jobs, or no fork.
        """
        if n_jobs is not None and (type(n_jobs) is not int or n_jobs < 1):
            raise ConfigError(
                f"hydra.launcher.n_jobs={n_jobs}: must be a whole number from 1, or null: one for"
                " each core"
            )
        if sys.platform != "linux":
            raise ConfigError(
                f"{PROCESSES_CHOICE}: jobs are forks, which PyTorch is safe in on Linux only. Use"
                " hydra/launcher=joblib"
            )
        self.n_jobs = n_jobs
        self.announced = False

    def run(self, sweep: Sweep, launched: Sequence[Launched]) -> None:
        waiting, running = deque(launched), list[Running]()
        with unchanged_threads():
            threads = torch.get_num_threads() if launched else 1
            at_once = self.jobs_at_once(threads, sweep.total, launched)
            share = max(1, threads // at_once)
            self._announce(at_once, share)
            preload(launched)
            try:
                while running or (waiting and not sweep.stop_file.exists()):
                    while waiting and len(running) < at_once and not sweep.stop_file.exists():
                        running.append(Running(self, waiting.popleft(), share))
                    connection.wait([each.process.sentinel for each in running], POLL_SECONDS)
                    for each in [each for each in running if not each.process.is_alive()]:
                        running.remove(each)
                        each.note_end()
            finally:
                for each in running:
                    each.process.kill()

    def _announce(self, at_once: int, threads: int) -> None:
        """Say once what goes on at the same time: the number of threads rounds the weights."""
        if not self.announced and at_once > 1:
            print_line(
                f"{at_once} jobs at a time, {counted(threads, 'thread')} each; one after the other:"
                " hydra/launcher=basic"
            )
        self.announced = True

    def jobs_at_once(self, threads: int, total: int, launched: Sequence[Launched]) -> int:
        """How many jobs run beside each other.

        Args:
            threads: that a job alone would have.
            total: jobs of the sweep. It is the same when the sweep goes on later, so that each job
                has as many threads as before, and comes to the same weights.
        """
        asked = max((each.settings.device.threads or 1 for each in launched), default=1)
        return self.n_jobs or max(1, min(threads // asked, total))


class Running:
    """A job in a process of its own."""

    def __init__(self, launcher: LocalLauncher, launched: Launched, threads: int) -> None:
        self.launched = launched
        self.started = time.perf_counter()
        arguments = (launcher, launched, threads, os.getpid())
        self.process: ForkProcess = get_context("fork").Process(target=_run, args=arguments)
        self.process.start()

    def note_end(self) -> None:
        """Record the end of a job whose process was killed."""
        self.process.join()
        if self.process.exitcode and self.launched.job.result() is None:
            record_death(self.launched.job, time.perf_counter() - self.started)


def preload(launched: Sequence[Launched]) -> None:
    """Import and read in this process what every job needs.

    Raises:
        ConfigError: a job does not compute on the CPU.
    """
    # Threads of this process would be missing in its forks, and OpenMP would wait for them forever.
    torch.set_num_threads(1)
    for settings in {each.settings.device: each.settings for each in launched}.values():
        require_cpu(settings)
    torch.set_num_threads(1)
    if launched:
        settings = launched[0].settings
        for module in (*PRELOADED, *(FOR_TENSORBOARD if settings.tracker.enabled else ())):
            importlib.import_module(module)
        # What is wrong with the data each job says for itself.
        with contextlib.suppress(UserError):
            preprocess(settings)
    # Forks share the memory of what they do not change: their garbage collectors leave it alone.
    gc.freeze()


def preprocess(settings: RunConfig) -> None:
    """Read the images, and preprocess them once for all jobs with these settings."""
    splits = load_splits(settings.data)
    transforms = build_transforms(settings.transforms.fixed, settings.transforms.random)
    for split in (splits.train, splits.validation, splits.test):
        transforms.preprocess_cached(split.images)


def require_cpu(settings: RunConfig) -> None:
    """Raises:
    ConfigError: the device is another one.
    """
    kind = select_device(settings.device).type
    if kind != "cpu":
        raise ConfigError(
            f"{PROCESSES_CHOICE}: forks cannot compute on a {kind} device. Type device=cpu, or"
            " leave the launcher out"
        )


def _run(launcher: LocalLauncher, launched: Launched, threads: int, parent: int) -> None:
    """The life of a process: one job."""
    torch.set_num_threads(threads)
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    launcher.run_alone(launched)


def _stop_with(parent: int) -> None:
    """Ask the job to save and end where the process of the sweep was killed."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    signal.raise_signal(signal.SIGTERM)
