"""Overrides that go together: ``model:optimizer.lr=fcn:0.1,cnn:0.05`` is two jobs, not four.

Hydra's grammar has no such word: a colon in a key is an error there. Keys and values are parted
here, and each value is left to Hydra. No torch here: a mistake is answered before it is imported.
"""

from collections.abc import Iterator

from mnist_trainer.errors import ConfigError

BETWEEN = ":"
OPENING, CLOSING = "([{", ")]}"
Row = tuple[str, ...]
"""Overrides that one job has together."""


def is_paired(word: str) -> bool:
    """Whether a word sets several keys at once."""
    key, separator, _ = word.partition("=")
    return bool(separator) and BETWEEN in key


def keys_of(word: str) -> list[str]:
    """The keys that a word sets, each with its ``+``; of an ordinary word, the one."""
    return word.partition("=")[0].split(BETWEEN)


def paired_rows(word: str) -> tuple[Row, ...]:
    """The rows of a word that sets several keys: for each, one override for every key.

    Raises:
        ConfigError: a key twice or missing, or a row with more or fewer values than there are keys.
    """
    keys, text = keys_of(word), word.partition("=")[2]
    names = [key.lstrip("+") for key in keys]
    example = f"{BETWEEN.join(keys)}={','.join(BETWEEN.join('ab'[k] * len(keys)) for k in (0, 1))}"
    if not all(names):
        raise ConfigError(f"{word}: a key is missing beside a colon. Type: model:optimizer.lr=...")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"{word}: {twice} is named twice. Name each key once.")
    if wrong := next((name for name in names if name.startswith(("hydra", "~"))), None):
        raise ConfigError(f"{word}: {wrong} cannot be swept: Hydra's own, or a deletion.")
    rows = []
    for number, part in enumerate(split_outside(text, ","), start=1):
        values = list(split_outside(part, BETWEEN))
        if len(values) != len(keys) or not all(values):
            raise ConfigError(
                f"{word}: row {number}, {part!r}, must have a value for each of the {len(keys)}"
                f" keys ({', '.join(names)}), joined by colons; rows are joined by commas, as in"
                f" {example}. A value that holds a colon or a comma needs quotes."
            )
        rows.append(tuple(f"{key}={value}" for key, value in zip(keys, values, strict=True)))
    return tuple(rows)


def split_outside(text: str, mark: str) -> Iterator[str]:
    """The parts of a text between the marks that lie outside quotes and brackets."""
    depth, quote, start = 0, "", 0
    for place, letter in enumerate(text):
        escaped = place > 0 and text[place - 1] == "\\"
        if quote:
            quote = "" if letter == quote and not escaped else quote
        elif letter in "'\"" and not escaped:
            quote = letter
        elif letter == mark and depth == 0 and not escaped:
            yield text[start:place]
            start = place + 1
        else:
            depth += (letter in OPENING) - (letter in CLOSING)
    yield text[start:]
