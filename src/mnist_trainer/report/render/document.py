"""What a report says, apart from how it is shown: blocks that each format shows in its own way."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.report.analysis.statistics import Spread
from mnist_trainer.report.read.records import SplitMetrics
from mnist_trainer.runs.metrics import wilson_interval

DASH = "-"


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    text: str
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headings. The first column names its row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Columns of numbers, which are set to the right."""
    note: str = ""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix."""

    caption: str
    names: tuple[str, ...]
    counts: NDArray[np.int64]
    """(classes, classes): truth in rows, predictions in columns."""


@dataclass(frozen=True)
class Mistake:
    """A test image that was classified wrongly."""

    index: int
    truth: str
    predicted: str
    probability: float
    image: NDArray[np.uint8] | None
    """(H, W); None where the data set is not at hand."""


@dataclass(frozen=True)
class Gallery:
    """The worst mistakes."""

    caption: str
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class Picture:
    """A figure, for formats that can show one."""

    caption: str
    alt: str
    """What is to be seen, for those who cannot see it."""
    draw: Callable[[str], str]
    """From the words for it to the SVG element, whose colours are those of the page."""


@dataclass(frozen=True)
class Listing:
    """A file, as it stands; for formats that can fold it away."""

    caption: str
    text: str


Block = Paragraph | Table | Matrix | Gallery | Picture | Listing


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]


def clean(text: object) -> str:
    """Text of a file in the hands of strangers, with nothing in it that would steer a terminal; on
    one line."""
    return "".join(
        " " if mark in "\n\r\t" else "�" if unicodedata.category(mark)[0] == "C" else mark
        for mark in str(text)
    )


def percent(share: float | None, digits: int = 2) -> str:
    return DASH if share is None else f"{100 * share:.{digits}f} %"


def spread_text(over: Spread | None) -> str:
    """Mean and standard deviation of shares, in percent."""
    if over is None:
        return DASH
    return (
        f"{100 * over.mean:.2f} %"
        if over.sd is None
        else f"{100 * over.mean:.2f} ± {100 * over.sd:.2f} %"
    )


def seconds_text(seconds: float | None) -> str:
    if seconds is None:
        return DASH
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def interval_text(score: SplitMetrics | None) -> str:
    """The 95 % interval of an accuracy (Wilson)."""
    if score is None:
        return DASH
    low, high = wilson_interval(score.correct, score.images)
    return f"{100 * low:.2f} to {100 * high:.2f} %"


def rows_of(values: Sequence[tuple[str, object]]) -> tuple[tuple[str, str], ...]:
    """Pairs of name and value as rows; those without a value are left out."""
    return tuple((name, str(value)) for name, value in values if value not in (None, ""))
