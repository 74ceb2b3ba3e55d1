"""Command lines that are not Hydra's: mistakes end as everywhere else, with what is valid."""

import argparse
from typing import NoReturn

from mnist_trainer import __version__
from mnist_trainer.errors import ConfigError


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, with this package's error and no abbreviations."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_argument("--version", action="version", version=f"{prog} {__version__}")

    def error(self, message: str) -> NoReturn:
        """Raises:
        ConfigError: always; names the options that there are.
        """
        from mnist_trainer.config import nearest

        options = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        typed = message.rpartition(": ")[2].split()[0].partition("=")[0] if message.startswith("unrecognized") else ""
        hint = nearest(typed, options) if typed.startswith("-") else ""
        raise ConfigError(f"{message}.{hint}\nOptions: {' '.join(options)}\nMore: {self.prog} --help")
