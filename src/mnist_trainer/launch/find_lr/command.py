"""``mnist-train --find-lr``: find a learning rate with short runs, and show what was found."""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from mnist_trainer.compute.device import unchanged_threads
from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.config.find_lr import FindLrSettings
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.find_lr.describe import describe
from mnist_trainer.launch.find_lr.files import FILES, write_files
from mnist_trainer.launch.find_lr.request import training_command
from mnist_trainer.launch.find_lr.show import show_cost, show_test
from mnist_trainer.runs.faults import faults_of_the_machine
from mnist_trainer.runs.folder import OUTPUTS, RunFolder, claim_named_folder, safe_name
from mnist_trainer.system.paths import real_path
from mnist_trainer.system.progress import steps_shown
from mnist_trainer.training.lr_range_test.search import (
    estimate_cost,
    fit_steps,
    run_range_test,
)
from mnist_trainer.training.lr_range_test.short_runs import ShortRuns, short_run_seed
from mnist_trainer.training.run import configured_device

TESTS = OUTPUTS / "find-lr"
"""Folder of the tests: none of them holds a file that would make it a run."""


@unchanged_threads()
def run_find_lr(command: ResolvedCommand, settings: FindLrSettings, argv: Sequence[str]) -> Path:
    """Say what it costs, make the short runs, write and show what they came to.

    Args:
        argv: the words of the command line.

    Returns:
        The folder with the files.

    Raises:
        DivergedError: no rate of the range trains.
        UserError: of the kind that says what went wrong.
    """
    config, started = command.config, time.perf_counter()
    folder = _claim_folder(command)
    with removed_if_unused(folder), faults_of_the_machine(RunFolder(folder)):
        device = configured_device(config, SINGLE_WORLD)
        short = ShortRuns(config, device)
        settings = replace(settings, steps=fit_steps(settings, short.steps_per_epoch))
        rate = float(config.optimizer.options.get("lr", settings.lowest))
        cost = estimate_cost(short, settings, rate, short_run_seed(config.seed, 0))
        show_cost(cost, config, settings, device)
        with steps_shown() as progress:
            test = run_range_test(short, settings, config.seed, progress, cost.runs)
        has_option = "lr" in config.optimizer.options
        content = {
            **describe(test, settings, config, device, cost),
            "command": training_command(
                argv, f"{test.named.recommended.value:.3g}", has_option=has_option
            ),
            "words": list(argv),
            "seconds": round(time.perf_counter() - started, 3),
        }
        write_files(folder, content)
    show_test(content, folder)
    return folder


def _claim_folder(command: ResolvedCommand) -> Path:
    """A new folder ``outputs/find-lr/<time>-<label>-<4 hex>``, or the one that was typed.

    Raises:
        ConfigError: it holds a run, or the files of another test.
        MachineError: it cannot be made.
    """
    typed = command.typed_folder("hydra.run.dir")
    if typed is None:
        label = safe_name(command.config.label)
        name = f"{datetime.now():%Y-%m-%d_%H-%M-%S}-{label}-{secrets.token_hex(2)}"
        return claim_named_folder(TESTS / name).path
    folder = claim_named_folder(typed).path
    if used := next((name for name in FILES if (folder / name).exists()), None):
        raise ConfigError(
            f"hydra.run.dir={typed}: this folder already holds {used} of another test. Name"
            " another, or remove it first."
        )
    return folder


@contextmanager
def removed_if_unused(folder: Path) -> Iterator[None]:
    """Remove the folder where the test ends before anything was written to it."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
            if folder.parent == real_path(TESTS):
                folder.parent.rmdir()
        raise
