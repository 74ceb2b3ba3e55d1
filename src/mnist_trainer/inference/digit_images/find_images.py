"""Find the images that a command line names: files, folders, patterns, standard input."""

import glob
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mnist_trainer.inference.digit_images.read_image import (
    HEIC_SUFFIXES,
    MAX_BYTES,
    SUFFIXES,
    ImageError,
    SourceImage,
    read_image,
)

STANDARD_INPUT = "-"
MARK = b"mnist-predict --show"
"""In the metadata of the PNG files that ``--show`` writes, so that a folder read again is not read
with them."""


@dataclass(frozen=True)
class ImageSource:
    """A picture that was asked for, or why there is none."""

    name: str
    file: Path | None
    """None for standard input."""
    problem: str | None = None

    def read(self, working_side: int) -> SourceImage:
        """Read the image.

        Raises:
            ImageError: it cannot be used; the message does not name it.
        """
        if self.problem:
            raise ImageError(self.problem)
        return read_image(self.file or standard_input(), working_side)


def find_images(words: Sequence[str]) -> list[ImageSource]:
    """The pictures in the order of the words, those of a folder by name; each once."""
    sources: dict[str, ImageSource] = {}
    for word in words:
        try:
            found = list(sources_of(word))
        except OSError as error:  # A name that is too long, a folder that may not be entered.
            found = [ImageSource(word, None, f"{error.strerror}.")]
        for source in found:
            # Not Path.resolve, which raises of a link that leads back to itself.
            sources.setdefault(
                os.path.realpath(source.file) if source.file else source.name, source
            )
    return list(sources.values())


def sources_of(word: str) -> Iterator[ImageSource]:
    """Expand one argument."""
    path = Path(word)
    if word == STANDARD_INPUT:
        yield ImageSource("standard input", None)
    elif "\0" in word or not word:
        yield ImageSource(word or "''", None, "not a name that a file can have.")
    elif path.is_dir():
        yield from in_folder(path)
    elif path.exists() or not glob.has_magic(word):
        yield ImageSource(word, path)
    else:
        # Path.glob refuses absolute patterns.
        matches = sorted(Path(match) for match in glob.glob(word, recursive=True))  # noqa: PTH207
        if not matches:
            yield ImageSource(word, None, "no file matches this pattern.")
        for match in matches:
            yield from in_folder(match) if match.is_dir() else [ImageSource(str(match), match)]


def in_folder(folder: Path) -> Iterator[ImageSource]:
    """The pictures anywhere below a folder, by the ends of their names; hidden ones and what
    ``--show`` wrote are left out."""
    endings = (*SUFFIXES, *HEIC_SUFFIXES)
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings and is_shown(path, folder)
    )
    found = [path for path in found if not is_marked(path)]
    if not found:
        yield ImageSource(str(folder), None, "no picture in this folder.")
    for path in found:
        yield ImageSource(str(path), path)


def is_shown(path: Path, folder: Path) -> bool:
    """Whether no part of the name below the folder begins with a dot."""
    return path.is_file() and not any(
        part.startswith(".") for part in path.relative_to(folder).parts
    )


def is_marked(path: Path) -> bool:
    """Whether ``--show`` wrote a file: its mark comes before the pixels. A file that cannot be read
    is told of later."""
    try:
        with path.open("rb") as file:
            return MARK in file.read(256)
    except OSError:
        return False


def standard_input() -> BinaryIO:
    """All of standard input, which must fit the limit of files.

    Raises:
        ImageError: nothing, or too much.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise ImageError("nothing is piped into it. Use: mnist-predict RUN - < picture.png")
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if not content:
        raise ImageError("empty (0 bytes).")
    if len(content) > MAX_BYTES:
        raise ImageError(f"more than {MAX_BYTES:,} bytes.")
    return io.BytesIO(content)
