"""``mnist-train``: compose a configuration, train, test."""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mnist_trainer.cli.arguments import typed_words
from mnist_trainer.cli.exit import exit_codes
from mnist_trainer.cli.help import HELP_OPTIONS, VERSION_OPTIONS, print_help, print_version
from mnist_trainer.system.openmp import limit_openmp_spinning

if TYPE_CHECKING:
    from mnist_trainer.compute.ranks import RankInfo
    from mnist_trainer.config.find_lr import FindLrSettings
    from mnist_trainer.launch.command import ResolvedCommand


def main() -> None:
    """Entry point of the console script."""
    started = time.perf_counter()
    # A log line that cannot be written, because the disk is full, must not fill the terminal with
    # tracebacks.
    logging.raiseExceptions = False
    with exit_codes("mnist-train"):
        argv = typed_words()
        if any(argument in HELP_OPTIONS for argument in argv):
            print_help()
        elif any(argument in VERSION_OPTIONS for argument in argv):
            print_version()
        else:
            limit_openmp_spinning()
            run_command(argv, started)


def run_command(argv: Sequence[str], started: float) -> None:
    """Resolve a command line, and do what it asks for; Hydra is imported here, not for help.

    Args:
        started: ``time.perf_counter()`` when the process began.

    Raises:
        UserError: of the kind that says what went wrong.
    """
    from mnist_trainer.compute.ranks import find_rank_info
    from mnist_trainer.compute.world import end_at_signals, report_on_local_main
    from mnist_trainer.launch.command import resolve_command
    from mnist_trainer.launch.options import delegate_to_hydra, parse_command_line
    from mnist_trainer.launch.torchrun import check_ranks

    rank_info = find_rank_info()
    is_main = rank_info.rank == 0
    if rank_info.size > 1:
        end_at_signals()
    with report_on_local_main(rank_info):
        line = parse_command_line(argv)
        if line.completes:
            delegate_to_hydra()
            return
        command = resolve_command(line, is_main_process=is_main)
        check_ranks(rank_info, command)
    if line.plan is not None and is_main:
        from mnist_trainer.launch.sweep.plan import show_plan

        show_plan(command, line.plan)
    elif line.find_lr:
        find_lr(command, line.find_lr, argv, rank_info)
    elif line.runs:
        train(command, argv, started, rank_info)
    elif is_main and line.explain:
        from mnist_trainer.cli.explain import print_explanation

        print_explanation(command.config, line.explain)
    elif is_main:
        delegate_to_hydra()


def train(
    command: "ResolvedCommand", argv: Sequence[str], started: float, rank_info: "RankInfo"
) -> None:
    """Train what a command asks for: one run, a sweep, or finished runs once more."""
    if command.originals:
        from mnist_trainer.launch.reproduce.command import run_reproductions

        run_reproductions(command, command.originals, started)
    elif command.multirun:
        from mnist_trainer.launch.sweep.command import run_sweep

        run_sweep(command, argv)
    else:
        from mnist_trainer.launch.single import run_single

        run_single(command, started, rank_info)


def find_lr(
    command: "ResolvedCommand",
    settings: "FindLrSettings",
    argv: Sequence[str],
    rank_info: "RankInfo",
) -> None:
    """Find a learning rate for the run that a command describes; nothing is trained beyond that."""
    from mnist_trainer.compute.world import report_on_local_main
    from mnist_trainer.launch.find_lr.request import check_request

    with report_on_local_main(rank_info):
        check_request(command, rank_info.size)
    from mnist_trainer.launch.find_lr.command import run_find_lr

    run_find_lr(command, settings, argv)
