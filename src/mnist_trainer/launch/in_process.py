"""Run the words of a command line in a process that belongs to somebody else, as a notebook does.

Errors are raised; Hydra, logging, random numbers and PyTorch's settings are as before afterwards.
No torch here: a mistake is answered before it is imported.
"""

import shlex
import time
from collections.abc import Iterable

from mnist_trainer.compute.ranks import find_rank_info
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand, resolve_command
from mnist_trainer.launch.hydra.private import separate_hydra
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.launch.single import run_single
from mnist_trainer.runs.folder import RunFolder

CONFIG_OPTIONS = ("--config-dir", "-cd", "--config-path", "-cp", "--config-name", "-cn")
"""The options of ``mnist-train`` that make sense here: where configurations are looked for."""
EXAMPLE = "Type a list of words, train(['model=cnn', 'trainer.epochs=1']), or one string of them."


def run_in_process(
    overrides: str | Iterable[str], *, quiet: bool = False
) -> tuple[RunFolder, RunConfig]:
    """Make one run, as ``mnist-train`` with the same words does.

    Args:
        overrides: words such as ``model=cnn``, or one string of them, parted as a shell does.
        quiet: whether no progress is shown.

    Raises:
        UserError: as the command reports it; ``ConfigError`` for what only the command does.
    """
    started = time.perf_counter()
    with separate_hydra():
        command = resolve_in_process(overrides)
        from mnist_trainer.compute.process_state import unchanged_process

        with unchanged_process():
            return run_single(command, started, owns_process=False, quiet=quiet), command.config


def resolve_in_process(overrides: str | Iterable[str]) -> ResolvedCommand:
    """Compose and check the words of one run.

    Raises:
        ConfigError: a word is wrong, or asks for what only the command does.
    """
    words = split_words(overrides)
    typed = " ".join(map(shlex.quote, words))
    for word in words:
        if word.startswith("-") and word.partition("=")[0] not in CONFIG_OPTIONS:
            raise ConfigError(
                f"{word}: from Python words set the configuration of one run, key=value.\nOptions"
                f" and sweeps are the command's. Type in a shell: mnist-train {typed}\nOr make"
                " several runs: [train(['model=cnn', f'seed={seed}']) for seed in range(3)]"
            )
    if (size := find_rank_info().size) > 1:
        raise ConfigError(
            f"WORLD_SIZE={size}: from Python a run has one process. Type in a shell: torchrun"
            f" --nproc-per-node {size} -m mnist_trainer {typed}"
        )
    command = resolve_command(parse_command_line(words))
    if command.originals:
        raise ConfigError(
            "reproduce=: from Python a run is trained, and no verdict is given. Type in a shell:"
            f" mnist-train {typed}"
        )
    if command.multirun:
        raise ConfigError(
            "hydra.mode=MULTIRUN: a sweep is the command's. Type in a shell: mnist-train -m"
            f" {typed}"
        )
    return command


def split_words(overrides: str | Iterable[str]) -> list[str]:
    """The words as a shell hands them over.

    Raises:
        ConfigError: they are no text.
    """
    try:
        words = shlex.split(overrides) if isinstance(overrides, str) else list(overrides)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"overrides={overrides!r}: {error}. {EXAMPLE}") from error
    if wrong := [word for word in words if not isinstance(word, str)]:
        raise ConfigError(f"overrides: {wrong[0]!r} is no text. {EXAMPLE}")
    return words
