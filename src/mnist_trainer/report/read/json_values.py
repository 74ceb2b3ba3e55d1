"""Read a document that may come from anybody as data: any value may be missing or of another
type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnist_trainer.report.render.document import clean
from mnist_trainer.runs.read import number

LONGEST = 300
"""Characters of a text."""
MOST_ROWS = 2_000
LARGEST = 1e15
"""Of the numbers that are shown or drawn."""


@dataclass(frozen=True)
class JsonValues:
    """Values of a JSON document, or of a part of it, by their path of keys."""

    values: Any

    def at(self, *keys: str) -> Any:
        """The raw value; None where there is none."""
        value = self.values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def number(self, *keys: str) -> float | None:
        """A finite number of reasonable size."""
        value = number(self.at(*keys))
        return value if value is not None and abs(value) < LARGEST else None

    def text(self, *keys: str) -> str:
        """A text on one line, of bounded length; empty where there is none."""
        value = self.at(*keys)
        return "" if value is None or isinstance(value, Mapping | list) else clean(value)[:LONGEST]

    def flag(self, *keys: str) -> bool | None:
        value = self.at(*keys)
        return value if isinstance(value, bool) else None

    def rows(self, *keys: str) -> list["JsonValues"]:
        """The entries of a list that are themselves tables of values."""
        value = self.at(*keys)
        entries = value[:MOST_ROWS] if isinstance(value, list) else []
        return [JsonValues(entry) for entry in entries if isinstance(entry, Mapping)]

    def texts(self, *keys: str) -> list[str]:
        """The entries of a list as texts."""
        value = self.at(*keys)
        entries = value[:MOST_ROWS] if isinstance(value, list) else []
        return [clean(entry)[:LONGEST] for entry in entries]

    def pairs(self, *keys: str) -> list[tuple[str, str]]:
        """The names and values of a table, as texts."""
        value = self.at(*keys)
        entries = list(value.items())[:MOST_ROWS] if isinstance(value, Mapping) else []
        return [(clean(name)[:LONGEST], clean(each)[:LONGEST]) for name, each in entries]
