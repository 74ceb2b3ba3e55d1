"""Mutations of files: flipped bits, cuts, inserted and swapped bytes, swapped values of text."""

import random
import re

VALUES = (
    "null", "true", "-1", "0", "1", "1e400", "NaN", ".inf", '"x"', "[]", "{}", "[1]", '{"a": 1}',
    "9" * 400, "9" * 5_000, "[" * 100 + "]" * 100, "[" * 5_000, "2026-01-01", "0.1", "!!python/x y",
)  # fmt: skip
SCALAR = re.compile(r'(?<=[:\-,\[] )(?:"[^"\n]*"|[^\s,\[\]{}"]+)')
"""A value of JSON or YAML, after its colon, dash, comma or bracket."""


def mutate(content: bytes, number: int) -> bytes:
    """The content with one of its mutations; the same number gives the same one."""
    draw = random.Random(number)  # noqa: S311
    ways = [_flip, _cut, _insert, _swap, _remove]
    if b"\0" not in content and SCALAR.search(content.decode("utf-8", "replace")):
        ways += [_value, _value, _value]
    return ways[number % len(ways)](content, draw)


def _flip(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def _insert(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return content[:place] + draw.randbytes(draw.randrange(1, 9)) + content[place:]


def _swap(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    one, other = draw.randrange(len(content)), draw.randrange(len(content))
    changed[one], changed[other] = changed[other], changed[one]
    return bytes(changed)


def _remove(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return content[:place] + content[place + draw.randrange(1, 64) :]


def _value(content: bytes, draw: random.Random) -> bytes:
    text = content.decode("utf-8", "replace")
    found = draw.choice(list(SCALAR.finditer(text)))
    return (text[: found.start()] + draw.choice(VALUES) + text[found.end() :]).encode()
