"""Paths and other words that a user types: what no file system or file format takes is refused."""

import errno
import os
from pathlib import Path

from mnist_trainer.errors import ConfigError

NAME_BYTES = 255
"""Longest name that file systems take."""
PATH_BYTES = 3800
"""Longest path: Linux takes 4,095 bytes, and files of a run have names of their own."""
MAX_SHOWN = 120


def user_path(text: str, asked: str | None = None) -> Path:
    """The path that a user typed, ``~`` expanded.

    Args:
        asked: how the message names it, such as ``--output x``; None: as ``text``.

    Raises:
        ConfigError: it cannot be the path of anything, whatever lies on the disk.
    """
    asked = shortened(text if asked is None else asked)
    if "\0" in text or not text:
        raise ConfigError(f"{asked!r}: not a path: it {'holds a NUL' if text else 'is empty'}.")
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        home = text.partition("/")[0]
        raise ConfigError(
            f"{asked}: there is no home folder {home} here. Type the whole path, from / on."
        ) from error
    names = [len(os.fsencode(part)) for part in path.parts]
    if max(names, default=0) > NAME_BYTES or len(os.fsencode(path.absolute())) > PATH_BYTES:
        raise ConfigError(
            f"{asked}: too long: a name takes at most {NAME_BYTES} bytes, a path {PATH_BYTES:,}."
        )
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(
                f"{asked}: a link that leads back to itself. Name another place."
            ) from error
    return path


def real_path(path: Path) -> Path:
    """The absolute path without links; of a loop of links, the loop (``Path.resolve`` raises)."""
    return Path(os.path.realpath(path))


def refuse_undecodable(text: str, what: str) -> None:
    """Check that a text can be written to files of text.

    Raises:
        ConfigError: it holds bytes that are no text in UTF-8.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = shortened(text.encode("utf-8", "backslashreplace").decode())
        raise ConfigError(
            f"{what} {shown}: holds bytes that are no UTF-8. Use another name, or a link to it that"
            " has one."
        ) from error


def shortened(text: str) -> str:
    """A text of any length as a message shows it."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
