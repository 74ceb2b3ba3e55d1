"""Words that depend on numbers."""


def counted(number: int, noun: str) -> str:
    """``1 epoch``, ``3 epochs``: for nouns that take an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
