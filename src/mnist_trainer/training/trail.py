"""Record the trail of a run: the loss of each step and digests of the weights, exactly.

Nothing waits for the device until the numbers are written, at the log points.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.trail import Trail, TrailFile, keeps_digest, keeps_loss, read_trail
from mnist_trainer.training.tracking.terminal import Terminal
from mnist_trainer.training.tracking.tracker import disk_failures

log = logging.getLogger(__name__)

MAX_PENDING = 1024
"""Numbers that are kept on the device where log points are far apart."""


class WeightsDigest:
    """A 64-bit digest of weights, computed on their device.

    The bits of the weights, 64 at a time, times an odd key of their position, summed modulo 2^64: a
    multilinear hash (Carter and Wegman 1979), in which any change of one word changes the sum. It
    tells equal weights from others; against an attacker there is the SHA-256 in result.json. For
    the FCN of the benchmarks it takes a tenth of a training step, SHA-256 most of one.
    """

    def __init__(self) -> None:
        self.keys = torch.empty(0, dtype=torch.int64)

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> Tensor:
        """The digest of the parameters, a scalar of int64 on their device."""
        words = [_words(parameter) for parameter in model.parameters()]
        sizes = [len(each) for each in words]
        if len(self.keys) != sum(sizes):
            # RandomState's stream is frozen: the same keys in every version of NumPy.
            drawn = np.frombuffer(np.random.RandomState(0).bytes(8 * sum(sizes)), np.int64)
            self.keys = (torch.from_numpy(drawn.copy()) | 1).to(words[0].device)
        pairs = zip(words, self.keys.split(sizes), strict=True)
        if self.keys.device.type == "cpu":
            # One pass and no copy; other devices have no dot product of integers.
            return torch.stack([torch.dot(*pair) for pair in pairs]).sum()
        return torch.stack([(word * key).sum() for word, key in pairs]).sum()


def _words(parameter: Tensor) -> Tensor:
    """The bits of a tensor in its logical order, as int64 (N,)."""
    bits = parameter.detach().reshape(-1).view(torch.uint8)
    if bits.storage_offset() % 8 or len(bits) % 8:
        bits = nn.functional.pad(bits, (0, -len(bits) % 8)).clone()
    return bits.view(torch.int64)


class TrailRecorder:
    """Keeps the numbers of the steps on the device, and appends them to the file at log points."""

    def __init__(
        self,
        file: TrailFile | None,
        reference: Trail | None = None,
        report: Callable[[str], None] = log.info,
    ) -> None:
        """Args:
        file: where the trail goes; None: nowhere, in other processes than the main one.
        reference: trail of the run that is reproduced.
        report: called at once with a sentence on the first loss that differs from it.
        """
        self.file = file
        self.reference = reference
        self.report = report
        self.digest = WeightsDigest()
        self.pending: list[tuple[int, bool, Tensor]] = []

    def add(self, step: int, loss: Tensor, model: nn.Module) -> None:
        """Record a step.

        Args:
            step: counted from 1.
            loss: of its update, a scalar on the device; the next step may overwrite it.
        """
        if self.file is None or not keeps_loss(step):
            return
        self.pending.append((step, True, loss.detach().clone()))
        if keeps_digest(step):
            self.pending.append((step, False, self.digest(model)))
        if len(self.pending) >= MAX_PENDING:
            self.flush()

    def flush(self, *, on_disk: bool = False) -> None:
        """Write what was recorded; waits for the device, and where ``on_disk`` for the disk.

        Raises:
            MachineError: it could not be written.
        """
        if self.file is None:
            return
        values = self._read_pending()
        if self.reference is not None:
            self._compare(values, self.reference)
        with disk_failures(self.file.path, 8 * len(values)):
            self.file.append([value for _, value in values], on_disk=on_disk)

    def _read_pending(self) -> list[tuple[int, float | int]]:
        """Step and value of what was recorded since the last time."""
        if not self.pending:
            return []
        losses = [value for _, is_loss, value in self.pending if is_loss]
        digests = [value for _, is_loss, value in self.pending if not is_loss]
        numbers = {
            True: iter(torch.stack(losses).cpu().double().tolist()),
            False: iter(torch.stack(digests).tolist() if digests else []),
        }
        values = [
            (step, next(numbers[is_loss]) if is_loss else next(numbers[False]) % 2**64)
            for step, is_loss, _ in self.pending
        ]
        self.pending.clear()
        return values

    def _compare(self, values: list[tuple[int, float | int]], reference: Trail) -> None:
        """Report the first loss that differs from the reference."""
        for step, loss in values:
            there = reference.losses.get(step)
            if isinstance(loss, float) and there not in (None, loss):
                original = float(there or 0).hex()
                self.report(
                    f"losses part at step {step}: {original} in the original, {loss.hex()} here"
                )
                self.reference = None
                return


def open_trail(
    folder: RunFolder,
    last_step: int,
    original: str | None,
    terminal: Terminal,
    is_main_process: bool,
) -> TrailRecorder:
    """Open the trail of a run; nothing is recorded in other than the main process.

    Args:
        last_step: that the run is resumed from, 0 at its start.
        original: folder of the run to compare with.
        terminal: shows where the two part.
    """
    if not is_main_process:
        return TrailRecorder(None)
    reference = None if original is None else read_trail(RunFolder(Path(original)).trail)
    with disk_failures(folder.trail):
        return TrailRecorder(TrailFile(folder.trail, last_step), reference, terminal.note)
