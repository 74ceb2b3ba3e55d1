"""Differences of texts by name, as unified diffs of bounded length."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

MAX_FILES = 50
"""Files whose lines are compared; of more only the names are told."""
MAX_COMPARED = 1000
"""Lines of each text that are compared: the time grows with their square in the worst case."""
MAX_LINES = 200
MAX_LENGTH = 200
"""Lines of a difference that are kept, and characters of each."""


@dataclass(frozen=True)
class TextDifference:
    """One text that differs."""

    name: str
    where: str
    """A, B (only one has it), or both."""
    lines: tuple[str, ...]
    """A unified diff from A to B; the text itself where only one has it."""
    is_cut: bool = False
    """Whether lines, or ends of lines, were left out."""


def text_differences(
    a: Mapping[str, str], b: Mapping[str, str], kind: str
) -> tuple[TextDifference, ...]:
    """The texts that differ.

    Args:
        kind: put before each name, such as ``config_files/``.
    """
    names = [name for name in dict.fromkeys((*a, *b)) if a.get(name) != b.get(name)]
    return tuple(
        _difference(f"{kind}{name}", a.get(name), b.get(name), place < MAX_FILES)
        for place, name in enumerate(names)
    )


def _difference(name: str, a: str | None, b: str | None, with_lines: bool) -> TextDifference:
    where = "B" if a is None else "A" if b is None else "both"
    if not with_lines:
        return TextDifference(name, where, (), is_cut=True)
    of_a, of_b = ((text or "").splitlines() for text in (a, b))
    if where != "both":
        return _bounded(name, where, of_a or of_b)
    # The first two lines of a unified diff name files, which are the same here.
    lines = difflib.unified_diff(of_a[:MAX_COMPARED], of_b[:MAX_COMPARED], lineterm="")
    is_cut = max(len(of_a), len(of_b)) > MAX_COMPARED
    return _bounded(name, where, list(islice(lines, 2, MAX_LINES + 3)), is_cut)


def _bounded(name: str, where: str, lines: list[str], is_cut: bool = False) -> TextDifference:
    kept = tuple(line[:MAX_LENGTH] for line in lines[:MAX_LINES])
    return TextDifference(name, where, kept, is_cut or kept != tuple(lines))
