"""What ``--find-lr`` is asked for, and what it cannot do.

No torch here: a mistake is answered before it is imported.
"""

import shlex
from collections.abc import Sequence

from mnist_trainer.config.find_lr import PREFIX
from mnist_trainer.errors import ConfigError
from mnist_trainer.launch.command import ResolvedCommand
from mnist_trainer.launch.options import FIND_LR

LEFT_OUT = ("optimizer.lr", "hydra.run.dir")
"""Settings of the test that the command it ends with does not repeat."""


def check_request(command: ResolvedCommand, num_processes: int) -> None:
    """Refuse what a learning-rate test cannot be combined with.

    Args:
        num_processes: started by torchrun; 1 without it.

    Raises:
        ConfigError: a sweep, a resumed or repeated run, or several processes.
    """
    if command.multirun:
        raise ConfigError(
            f"{FIND_LR} with -m: the test makes one picture of one configuration, and a sweep has"
            " many. Leave out -m, and give each setting one value: mnist-train --find-lr model=fcn"
        )
    for key, asked in (("resume=", command.resumption), ("reproduce=", command.originals)):
        if asked:
            raise ConfigError(
                f"{FIND_LR} with {key}: the test starts from new weights each time, and {key}"
                f" names a run. Leave out {key}, and type its settings: mnist-train --find-lr"
                " model=fcn"
            )
    if num_processes > 1:
        raise ConfigError(
            f"{FIND_LR} under torchrun: its {num_processes} processes would each make the whole"
            " test. One process finds the same rate, because trainer.batch_size counts the images"
            f" of all: mnist-train {FIND_LR} {' '.join(command.line.overrides)}".rstrip()
        )


def training_command(argv: Sequence[str], rate: str, *, has_option: bool) -> str:
    """The command line that trains with a rate, to be typed in a shell.

    Args:
        argv: the words of the test.
        has_option: whether the configuration of the optimizer names ``lr``.
    """
    kept = [
        word
        for word in argv
        if word != FIND_LR
        and not word.startswith(PREFIX)
        and word.partition("=")[0].lstrip("+") not in LEFT_OUT
    ]
    key = "optimizer.lr" if has_option else "+optimizer.lr"
    return shlex.join(["mnist-train", *kept, f"{key}={rate}"])
