"""Content of a report, independent of the format: sections of blocks."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_trainer.report.analysis.folds import FoldEstimate
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
class Headline(Paragraph):
    """The figure that a report is about."""

    value: str = ""
    about: str = ""


def headline(value: str, about: str) -> Headline:
    return Headline(f"{value} {about}", True, value, about)


@dataclass(frozen=True)
class Table:
    """Rows under headings. The first column names its row."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    """Columns of numbers, which are set to the right."""
    note: str = ""
    links: tuple[str, ...] = ()
    """Addresses of the rows, for formats that can link."""


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix."""

    caption: str
    names: tuple[str, ...]
    counts: NDArray[np.int64]
    """(classes, classes): true labels in rows, predicted labels in columns."""

    def as_table(self, zero: str = "0") -> Table:
        """The matrix for a format that has tables only.

        Args:
            zero: what to write for no images.
        """
        rows = tuple(
            (name, *(str(count) if count else zero for count in counts))
            for name, counts in zip(self.names, self.counts.tolist(), strict=True)
        )
        numeric = frozenset(range(1, len(self.names) + 1))
        return Table(self.caption, ("", *self.names), rows, numeric)


@dataclass(frozen=True)
class Mistake:
    """A test image that was classified wrongly."""

    index: int
    true_label: str
    predicted_label: str
    probability: float
    image: NDArray[np.uint8] | None
    """(H, W); None where the data set is not at hand."""


@dataclass(frozen=True)
class Gallery:
    """The worst mistakes."""

    caption: str
    mistakes: tuple[Mistake, ...]

    def as_table(self, most: int | None = None, note: str = "") -> Table:
        """The mistakes without their images, at most so many."""
        rows = tuple(
            (str(m.index), m.true_label, m.predicted_label, f"{100 * m.probability:.1f} %")
            for m in self.mistakes[:most]
        )
        columns = ("test image", "true label", "predicted label", "probability")
        return Table(self.caption, columns, rows, frozenset(range(4)), note)


@dataclass(frozen=True)
class Picture:
    """A figure, for formats that can show one."""

    caption: str
    alt: str
    """Text alternative."""
    draw: Callable[[Any], None]
    """Draws on a matplotlib figure, whose size it sets."""


@dataclass(frozen=True)
class Bitmap:
    """A picture that is made of pixels, for formats that can show one."""

    caption: str
    alt: str
    """Text alternative."""
    pixels: NDArray[np.uint8]
    """(H, W), or (H, W, 3) in colour."""


@dataclass(frozen=True)
class Listing:
    """A text file, for formats that can fold it."""

    caption: str
    text: str
    language: str = "yaml"
    """For formats that colour by it."""


Block = Paragraph | Table | Matrix | Gallery | Picture | Bitmap | Listing


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
    made_by: str = "mnist-report"
    """The command."""


def sections_of(named: Mapping[str, Sequence[Block]]) -> tuple[Section, ...]:
    """Sections by their titles; those without blocks are left out."""
    return tuple(Section(title, tuple(blocks)) for title, blocks in named.items() if blocks)


def clean(text: object) -> str:
    """Foreign text on one line, without the characters that control a terminal."""
    return "".join(
        " " if mark in "\n\r\t" else "�" if unicodedata.category(mark)[0] == "C" else mark
        for mark in str(text)
    )


def percent(share: float | None, digits: int = 2) -> str:
    return DASH if share is None else f"{100 * share:.{digits}f} %"


def accuracy_text(score: SplitMetrics | None) -> str:
    return percent(score.accuracy if score else None)


def spread_text(over: Spread | None) -> str:
    """Mean ± standard deviation of shares, in percent."""
    if over is None:
        return DASH
    sd = "" if over.sd is None else f" ± {100 * over.sd:.2f}"
    return f"{100 * over.mean:.2f}{sd} %"


def fold_interval_text(found: FoldEstimate | None) -> str:
    """The corrected 95 % interval over folds, in percent."""
    return f"{100 * found.low:.2f} to {100 * found.high:.2f} %" if found else DASH


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
    """Pairs of name and value as rows, without those that have no value."""
    return tuple((name, str(value)) for name, value in values if value not in (None, ""))
