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
    found = next((name for name in close if name[:1] == word[:1]), close[0] if close else None)
    return f" Did you mean {found}?" if found else ""


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message for an unknown key: a similar one, and the valid ones."""
    prefix, _, name = key.rpartition(".")
    siblings = list(known)
    place = f" under {prefix}" if prefix else ""
    hint = nearest(name, siblings)
    hint = hint.replace("Did you mean ", f"Did you mean {prefix}." if prefix else "Did you mean ")
    return f"{key} is not a setting.{hint} Valid{place}: {', '.join(siblings) or 'none'}"
