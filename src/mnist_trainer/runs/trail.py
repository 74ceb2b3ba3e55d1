"""trail.bin: the losses and weight digests of a run, bit for bit, for a comparison with another.

The file is a header of 8 bytes, then numbers of 8 bytes, little-endian: after each step its loss
as a float64 (exact for any float32), then the digest of the weights as an unsigned integer, each
only at the steps that ``keeps_loss`` and ``keeps_digest`` name. So the length of the file says how
far the run went, and it is cut where the run is resumed. No torch here.
"""

import math
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from mnist_trainer.errors import DataError
from mnist_trainer.runs.read import read_file

HEADER = b"MNTRAIL1"
MAX_BYTES = 200_000
"""A run of 10^9 steps stays below it."""
EVERY_LOSS, LOSSES = 16_384, 256
"""Steps from the start whose losses are all kept, and how many of each doubling after them."""
EVERY_DIGEST, DIGESTS = 100, 8
"""The same of the digests of the weights. Every step that has a digest has a loss."""


def keeps_loss(step: int) -> bool:
    """Whether the loss of a step, counted from 1, is kept."""
    return _is_kept(step, EVERY_LOSS, LOSSES)


def keeps_digest(step: int) -> bool:
    """Whether the digest of the weights after a step, counted from 1, is kept."""
    return _is_kept(step, EVERY_DIGEST, DIGESTS)


def _is_kept(step: int, every: int, per_doubling: int) -> bool:
    return step <= every or step % _stride(step, per_doubling) == 0


def _stride(step: int, per_doubling: int) -> int:
    """Distance of the steps that are kept: the same between two powers of two, so that the length
    of the run need not be known before."""
    return max(1, (1 << (step.bit_length() - 1)) // per_doubling)


@dataclass(frozen=True)
class Trail:
    """What was kept of a run, step to value."""

    losses: Mapping[int, float]
    """Training loss of the step's update."""
    digests: Mapping[int, int]
    """Of the weights after the step."""

    @property
    def last_step(self) -> int:
        return max(self.losses, default=0)


@dataclass(frozen=True)
class Parting:
    """Where two runs part."""

    step: int
    """The first step at which their losses differ; where none does, their digests."""
    losses: tuple[float, float] | None
    """Of the two runs at that step; None where only digests of the weights differ."""
    same_until: int
    """The last step before it at which both losses are known; 0 where there is none."""
    weights_step: int | None
    """The first step after which the digests of the weights differ; None where none does."""


def first_parting(a: Trail, b: Trail) -> Parting | None:
    """Where two trails part; None where all that both have is equal, bit for bit."""
    digests = sorted(a.digests.keys() & b.digests.keys())
    weights_step = next((step for step in digests if a.digests[step] != b.digests[step]), None)
    same_until = 0
    for step in sorted(a.losses.keys() & b.losses.keys()):
        losses = (a.losses[step], b.losses[step])
        # As bits: NaN equals NaN, which it does not as a number.
        if losses[0].hex() != losses[1].hex():
            return Parting(step, losses, same_until, weights_step)
        same_until = step
    return None if weights_step is None else Parting(weights_step, None, same_until, weights_step)


class TrailFile:
    """Appends the numbers of a run to its trail."""

    def __init__(self, path: Path, last_step: int = 0) -> None:
        """Args:
        last_step: of the checkpoint that the run is resumed from; what is behind it is cut off.
        """
        self.path = path
        # Held open, so that it is this file that is written to, wherever its folder is moved.
        self.file: FileIO | None = None
        size = size_at(last_step)
        if last_step == 0 or (path.exists() and path.stat().st_size >= size):
            self.file = path.open("ab", buffering=0)
            self.file.truncate(0 if last_step == 0 else size)
        else:
            # Of an older version, or damaged: a trail with a gap could not be read.
            path.unlink(missing_ok=True)
        if last_step == 0:
            self._write(HEADER)

    def append(self, values: Sequence[float | int], *, on_disk: bool = False) -> None:
        """Append losses (float) and digests (int), in the order of the steps.

        Args:
            on_disk: wait until everything is on disk, before a checkpoint counts on it.
        """
        if self.file is None:
            return
        packed = (
            struct.pack("<d" if isinstance(value, float) else "<Q", value) for value in values
        )
        self._write(b"".join(packed))
        if on_disk:
            os.fsync(self.file.fileno())

    def _write(self, content: bytes) -> None:
        """Write all of it: the system may write less at a time."""
        while content and self.file is not None:
            content = content[self.file.write(content) :]

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def size_at(step: int) -> int:
    """Bytes of the trail of a run that has made so many steps."""
    return len(HEADER) + 8 * sum(1 for _ in _layout(step))


def _layout(last_step: float = math.inf) -> Iterator[tuple[int, bool]]:
    """Step of each number of a trail, and whether it is a loss."""
    step = 1
    while step <= last_step:
        yield step, True
        if keeps_digest(step):
            yield step, False
        step += 1 if step < EVERY_LOSS else _stride(step, LOSSES)


def read_trail(path: Path) -> Trail | None:
    """The trail of a run; None where there is none that can be read."""
    try:
        content = read_file(path, MAX_BYTES)
    except DataError:
        return None
    if content[: len(HEADER)] != HEADER:
        return None
    losses: dict[int, float] = {}
    digests: dict[int, int] = {}
    body = content[len(HEADER) :]
    for offset, (step, is_loss) in zip(range(0, len(body) - 7, 8), _layout(), strict=False):
        if is_loss:
            (losses[step],) = struct.unpack_from("<d", body, offset)
        else:
            (digests[step],) = struct.unpack_from("<Q", body, offset)
    return Trail(losses, digests)
