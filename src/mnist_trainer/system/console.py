"""Text for the terminal."""

import sys
from typing import TextIO


def printable(text: str, stream: TextIO | None = None) -> str:
    """Replace the characters that a stream (default: standard output) cannot encode by "?"."""
    encoding = (stream or sys.stdout).encoding or "ascii"
    return text.encode(encoding, "replace").decode(encoding)
