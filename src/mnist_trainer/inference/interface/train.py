"""``train``: make a run from Python, with the words of the command line."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mnist_trainer.launch.in_process import run_in_process

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_run import TrainedRun


def train(overrides: str | Iterable[str] = (), *, verbose: bool = True) -> "TrainedRun":
    """Train and test as ``mnist-train`` does with the same words, to the same weights.

    The calling process is left as it was: logging, random numbers, threads, signals, Hydra. One
    run at a time: other threads must not train meanwhile. Sweeps are the command's, because each
    of their jobs may need a process of its own.

    Args:
        overrides: such as ``["model=cnn", "trainer.epochs=1"]``, or one string of such words.
        verbose: show the progress.

    Returns:
        The trained run, as ``load_run`` loads it from its folder.

    Raises:
        UserError: what ``mnist-train`` would have reported; ``exit_code`` is that of the command.
    """
    folder, config = run_in_process(overrides, quiet=not verbose)
    from mnist_trainer.inference.loading import load_run

    return load_run(folder.path, device=config.device.type)
