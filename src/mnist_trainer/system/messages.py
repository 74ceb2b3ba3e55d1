"""Plurals, and proposals for a mistyped word."""

import difflib
from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """``1 epoch``, ``3 epochs``: for nouns that take an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def nearest(word: str, known: Iterable[str]) -> str:
    """`` Did you mean X?`` for the most similar known word; empty where none is similar."""
    close = difflib.get_close_matches(word, list(known), n=5, cutoff=0.6)
    # A typing mistake rarely hits the first letter.
    alike = (name for name in close if name[:1] == word[:1] or _ratio(word, name) >= 0.7)
    found = next((name for name in close if name[:1] == word[:1]), next(alike, None))
    return f" Did you mean {found}?" if found else ""


def _ratio(word: str, name: str) -> float:
    return difflib.SequenceMatcher(None, word, name).ratio()


def unknown_key(key: str, known: Iterable[str], hint: str | None = None) -> str:
    """The message for an unknown key: a similar one, and the valid ones.

    Args:
        hint: what may be meant; None: the most similar of the known ones.
    """
    prefix, _, name = key.rpartition(".")
    siblings = list(known)
    place = f" under {prefix}" if prefix else ""
    if hint is None:
        hint = nearest(name, siblings)
        hint = hint.replace("you mean ", f"you mean {prefix}." if prefix else "you mean ")
    return f"{key} is not a setting.{hint} Valid{place}: {', '.join(siblings) or 'none'}"
