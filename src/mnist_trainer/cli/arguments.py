"""Argument parser and path checks of the commands without Hydra."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from mnist_trainer.errors import ConfigError, MachineError
from mnist_trainer.system.paths import refuse_undecodable, user_path
from mnist_trainer.system.version import __version__


class ArgumentParser(argparse.ArgumentParser):
    """argparse without abbreviations, whose errors are ``ConfigError``."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=f"{prog} {__version__}")

    def add_run(self) -> None:
        """Add RUN and --checkpoint."""
        self.add_argument(
            "run", metavar="RUN", help="a run folder, latest (the newest run), or a checkpoint file"
        )
        self.add_argument(
            "--checkpoint",
            metavar="NAME",
            help="best, last, or a file (default: the one that the run has tested)",
        )

    def error(self, message: str) -> NoReturn:
        """Report a mistake with the valid options.

        Raises:
            ConfigError: always.
        """
        from mnist_trainer.system.messages import nearest

        options = [
            name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        ]
        typed = (
            (message.rpartition(": ")[2].split() or [""])[0].partition("=")[0]
            if message.startswith("unrecognized")
            else ""
        )
        hint = nearest(typed, options) if typed.startswith("-") else ""
        raise ConfigError(
            f"{message}.{hint}\nOptions: {' '.join(options)}\nMore: {self.prog} --help"
        )


def a_path(text: str) -> str:
    """A path with ``~`` expanded; a slash at its end stays, which says that a folder is meant."""
    if not text:
        raise argparse.ArgumentTypeError("'' is not a path: it is empty")
    user_path(text)
    return os.path.expanduser(text)  # noqa: PTH111


def typed_words() -> list[str]:
    """The words of the command line.

    Raises:
        ConfigError: one holds bytes that are no text, which no file of a run could record.
    """
    for word in sys.argv[1:]:
        refuse_undecodable(word, "the word")
    return sys.argv[1:]


def refuse_no_folder(folder: Path, elsewhere: str) -> None:
    """Check that files can be written to a folder, which need not exist yet.

    Args:
        elsewhere: what a user types to have them written to another place.

    Raises:
        MachineError: a file is in the way, or nothing can be written there.
    """
    existing = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    if not existing.is_dir():
        raise MachineError(
            f"{folder}: {existing} is a file where a folder is needed. Choose another place with"
            f" {elsewhere}."
        )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise MachineError(
            f"{folder}: no file can be made in {existing}: {error.strerror}. Choose another place"
            f" with {elsewhere}."
        ) from error
