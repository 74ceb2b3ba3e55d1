"""Record the trail of a run: the loss of each step and digests of the weights, exactly.

Nothing waits for the device until the numbers are written, at the log points.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.trail import (
    DIGESTS,
    EVERY_DIGEST,
    Trail,
    TrailFile,
    keeps_digest,
    keeps_loss,
    read_trail,
)
from mnist_trainer.training.memory_layout import is_dense
from mnist_trainer.training.tracking.terminal import Terminal
from mnist_trainer.training.tracking.tracker import disk_failures

log = logging.getLogger(__name__)

IntArray = NDArray[np.integer]
MAX_PENDING = 1024
"""Losses that are kept on the device where log points are far apart."""


class WeightsDigest:
    """A 64-bit digest of weights, computed on their device.

    The bits of the weights, 64 at a time as they lie in memory, times an odd key of their place,
    summed modulo 2^64: a multilinear hash (Carter and Wegman 1979), in which any change of one word
    changes the sum. It tells equal weights from others; against an attacker there is the SHA-256 in
    result.json, which takes most of a training step of a small network.
    """

    def __init__(self) -> None:
        self.model: nn.Module | None = None
        self.parameters: list[Tensor] = []
        self.pointers: list[int] = []
        self.words: list[tuple[Tensor, Tensor]] = []
        """Views of the weights as integers, (N,) each, and the keys of their places."""
        self.arrays: list[tuple[IntArray, IntArray]] = []
        """The same on the CPU."""

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> Tensor | int:
        """The digest of the parameters: an int on the CPU, elsewhere a scalar on their device."""
        if model is not self.model:
            self.model, self.parameters = model, list(model.parameters())
        # Optimizers update weights in place; whoever replaces their memory gets new views.
        pointers = [parameter.data_ptr() for parameter in self.parameters]
        if pointers != self.pointers:
            self._view(pointers)
        if self.arrays:
            # NumPy takes half the time of PyTorch for arrays as small as these.
            return sum([int(np.dot(word, key)) for word, key in self.arrays]) % 2**64
        return torch.stack([(word * key).sum() for word, key in self.words]).sum()

    def _view(self, pointers: list[int]) -> None:
        self.words = _with_keys(self.parameters)
        self.arrays = []
        if self.parameters[0].device.type == "cpu":
            self.arrays = [(word.numpy(), key.numpy()) for word, key in self.words]
        # Of a tensor with gaps there is a copy, which is made again each time.
        self.pointers = pointers if all(map(is_dense, self.parameters)) else []


def _with_keys(parameters: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    words = [word for parameter in parameters for word in _words(parameter.detach())]
    sizes = [len(each) for each in words]
    # RandomState's stream is frozen: the same keys in every version of NumPy.
    drawn = np.frombuffer(np.random.RandomState(0).bytes(8 * sum(sizes)), np.int64)
    keys = (torch.from_numpy(drawn.copy()) | 1).to(words[0].device)
    return list(zip(words, keys.split(sizes), strict=True))


def _words(tensor: Tensor) -> list[Tensor]:
    """The memory of a dense tensor as int64, (N,); what is left over, number by number."""
    flat = tensor.contiguous().view(-1)
    if is_dense(tensor):
        flat = tensor.as_strided((tensor.numel(),), (1,))
    width = 8 // tensor.element_size()
    whole = 0 if flat.storage_offset() % width else len(flat) - len(flat) % width
    integers = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}
    rest = flat[whole:].view(integers[tensor.element_size()])
    return [part for part in (flat[:whole].view(torch.int64), rest) if len(part)]


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
        self.first_step = 0
        """Of the losses that wait to be written."""
        self.losses: list[Tensor] = []
        self.digests: dict[int, Tensor | int] = {}

    def add(self, step: int, loss: Tensor, model: nn.Module) -> None:
        """Record a step.

        Args:
            step: counted from 1, one after the other.
            loss: of its update, a scalar on the device.
        """
        if not self.losses:
            self.first_step = step
        # A CUDA graph writes each loss to the same memory; elsewhere it has its own.
        self.losses.append(loss.clone() if loss.is_cuda else loss)
        if step <= EVERY_DIGEST or (step % DIGESTS == 0 and keeps_digest(step)):
            self.digests[step] = self.digest(model)
        if len(self.losses) >= MAX_PENDING:
            self.flush()

    def flush(self, *, on_disk: bool = False) -> None:
        """Write what was recorded; waits for the device, and where ``on_disk`` for the disk.

        Raises:
            MachineError: it could not be written.
        """
        values = self._read_pending() if self.file else []
        self.losses.clear()
        self.digests.clear()
        if self.file is None:
            return
        if self.reference is not None:
            self._compare(values, self.reference)
        with disk_failures(self.file.path, 8 * len(values)):
            self.file.append([value for _, value in values], on_disk=on_disk)

    def close(self) -> None:
        """Close the file; what was not written before is dropped, as it is behind no checkpoint."""
        if self.file is not None:
            self.file.close()

    def _read_pending(self) -> list[tuple[int, float | int]]:
        """Step and value of what was recorded since the last time."""
        if not self.losses:
            return []
        losses = torch.stack(self.losses).cpu().double().tolist()
        values: list[tuple[int, float | int]] = []
        for step, loss in enumerate(losses, start=self.first_step):
            if keeps_loss(step):
                values.append((step, loss))
            if step in self.digests:
                values.append((step, int(self.digests[step]) % 2**64))
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
