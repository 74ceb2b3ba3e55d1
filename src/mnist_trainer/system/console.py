"""Text and tables for the terminal. Rich is imported only where it is used, for start-up."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Collection
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

# All but tab and line feed, and the marks that change the direction of what follows.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# A command that a line ends with.
COMMAND = re.compile(r"(?<=[:\s])(mnist-\w+|tensorboard) \S.*$")


def printable(text: str, stream: TextIO | None = None) -> str:
    """Make text of any origin safe to print on a stream (default: standard output).

    Characters that the stream cannot encode become "?". Control characters, with which a text could
    move the cursor, set the title of the window or reverse what is read, are written out.
    """
    encoding = (stream or sys.stdout).encoding or "ascii"
    return CONTROL.sub(_written_out, text).encode(encoding, "replace").decode(encoding)


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def fit(text: str, stream: TextIO | None = None) -> str:
    """Wrap a text at words where a terminal shows it; elsewhere it stays as it is.

    A command at the end of a line stays in one piece, so that it can be copied.
    """
    stream = stream or sys.stdout
    if not stream.isatty():
        return text
    width = max(shutil.get_terminal_size().columns, 20)
    return "\n".join(each for line in text.split("\n") for each in _wrapped(line, width))


def _wrapped(line: str, width: int) -> list[str]:
    if len(line) <= width:
        return [line]
    prose, command = line, ""
    if found := COMMAND.search(line):
        prose, command = line[: found.start()].rstrip(), found[0]
    indent = line[: len(line) - len(line.lstrip())]
    lines = textwrap.wrap(
        prose,
        width,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    if command and lines and len(lines[-1]) + 1 + len(command) <= width:
        lines[-1] += f" {command}"
        return lines
    return [*lines, f"{indent}  {command}"] if command else lines


def make_console(width: int | None = None) -> Console:
    """A console on standard output that colours only what is styled.

    Args:
        width: columns; None for those of the terminal.
    """
    from rich.console import Console

    return Console(width=width, highlight=False)


def make_table(*columns: str | Text, numeric: Collection[int] = ()) -> Table:
    """An empty table without lines, whose cells wrap rather than lose text.

    Args:
        columns: headings; without any text the table has no head.
        numeric: places of the columns that are aligned to the right.
    """
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.show_header = any(columns)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place in numeric else "left", overflow="fold")
    return table
