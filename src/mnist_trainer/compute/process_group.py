"""Collectives between the processes of a run, over gloo on CPUs and NCCL on GPUs.

Each process computes the loss of its part of an update's images, weighted by the size of the part,
so that the sum of the gradients is the gradient of the mean over all images. The sum is a single
all-reduce of one flat buffer (``training.data_parallel``). PyTorch's DistributedDataParallel takes
the plain mean over processes, which is wrong for the last batch of an epoch; it renames the
weights; and overlapping communication with the backward pass pays for models of hundreds of
megabytes, while these have one.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from mnist_trainer.compute.ranks import RankInfo, shard_of
from mnist_trainer.compute.world import World
from mnist_trainer.errors import AlreadyReportedError, ExitCode, MachineError, UserError
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.system.signals import Interruption

TIMEOUT = timedelta(minutes=10)
"""For a process that is alive but does not respond; one that has ended is noticed at once."""
TIME_TO_CLEAR = timedelta(seconds=3)
"""How long a process that fails waits for the main process to clear away what the run leaves."""
CLEARED = "cleared"
"""Key of the store: the main process has done so."""
BACKENDS = "cpu:gloo,cuda:nccl"


class ProcessGroup(World):
    """The world of one of several processes."""

    def __init__(self, rank_info: RankInfo, device: torch.device) -> None:
        """Connect to the other processes.

        Raises:
            MachineError: they cannot be connected.
        """
        self.rank_info = rank_info
        self.device = device
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        self._interruption: Interruption | None = None
        one_machine = rank_info.local_size == rank_info.size
        options = f"--nproc-per-node {rank_info.size}" if one_machine else "..."
        self.command = f"torchrun {options} -m mnist_trainer"
        try:
            store, _, _ = next(rendezvous("env://", timeout=TIMEOUT))
            # After a restart by torchrun, the store still has the keys of the processes before.
            restarts = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            self.store = dist.PrefixStore(restarts, store)  # type: ignore[attr-defined]
            dist.init_process_group(
                BACKENDS if device.type == "cuda" else "gloo",
                store=self.store,
                rank=rank_info.rank,
                world_size=rank_info.size,
                timeout=TIMEOUT,
                device_id=device if device.type == "cuda" else None,
            )
        except (RuntimeError, ValueError) as error:
            where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
            raise MachineError(
                f"Process {rank_info.rank} of {rank_info.size} cannot join the others at {where}:"
                f" {str(error).splitlines()[0]}\nIs that machine to be reached from all others? See"
                " --master-addr or --rdzv-endpoint of torchrun."
            ) from error

    def broadcast_from_main(self, make: Callable[[], str]) -> str:
        failure: UserError | None = None
        result: dict[str, Any] = {}
        if self.is_main_process:
            try:
                result = {"value": make()}
            except UserError as error:
                failure, result = error, {"exit_code": int(error.exit_code)}
        result = self._broadcast(result)
        if failure is not None:
            raise failure
        if "exit_code" in result:
            raise AlreadyReportedError(result["exit_code"])
        return str(result["value"])

    def _broadcast(self, value: dict[str, Any]) -> dict[str, Any]:
        """Broadcast a JSON object from the main process."""
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = torch.tensor(len(content))
        self._collective(dist.broadcast, length, 0)
        if not self.is_main_process:
            content = torch.empty(int(length), dtype=torch.uint8)
        self._collective(dist.broadcast, content, 0)
        received: dict[str, Any] = json.loads(content.numpy().tobytes())
        return received

    def shard(self, count: int) -> slice:
        return shard_of(count, self.rank_info)

    def reduce_metrics(self, metrics: Metrics) -> Metrics:
        sums = torch.tensor(
            [metrics.loss * metrics.count, metrics.correct, metrics.count], dtype=torch.float64
        )
        self._collective(dist.all_reduce, sums)
        loss_sum, correct, count = sums.tolist()
        return Metrics(loss_sum / max(1.0, count), int(correct), int(count))

    def broadcast_model(self, model: nn.Module) -> None:
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                plain = tensor.contiguous()
                self._collective(dist.broadcast, plain, 0)
                tensor.copy_(plain)

    def interruption(self) -> Interruption:
        self._interruption = Interruption(shared=True)
        return self._interruption

    def stop_flags(self) -> tuple[float, float]:
        return (0.0, 0.0) if self._interruption is None else self._interruption.stop_flags()

    def apply_stop_flags(self, flags: Tensor) -> None:
        if self._interruption is not None:
            self._interruption.apply(flags.tolist())

    def all_reduce_sum(self, buffer: Tensor) -> None:
        self._collective(dist.all_reduce, buffer)

    def barrier(self) -> None:
        self._collective(dist.all_reduce, torch.zeros(1))

    def _collective(self, collective: Callable[..., Any], *arguments: Any) -> None:
        """Call a collective operation of ``torch.distributed``.

        Raises:
            MachineError: another process has ended; one process alone reports it.
        """
        try:
            collective(*arguments)
        except RuntimeError as error:
            if self._is_first_to("lost"):
                rank, size = self.rank_info.rank, self.rank_info.size
                raise MachineError(
                    f"Another of the {size} processes of this run has ended, or cannot be reached"
                    f" any more (seen by process {rank}). Its own message, or torchrun's, says"
                    " more."
                ) from error
            raise AlreadyReportedError(ExitCode.ENVIRONMENT) from error

    def deduplicate_error(self, error: UserError) -> UserError:
        key = hashlib.sha256(str(error).encode()).hexdigest()
        return error if self._is_first_to(key) else AlreadyReportedError(error.exit_code)

    def _is_first_to(self, key: str) -> bool:
        """Whether no other process has called this with the key before."""
        with suppress(RuntimeError):
            return int(self.store.add(f"said/{key}", 1)) == 1
        # The store has gone with the process that hosted it.
        return True

    def clear_on_main(self, clear: Callable[[], None]) -> None:
        if self.is_main_process:
            clear()
            with suppress(RuntimeError):
                self.store.set(CLEARED, "")
        else:
            with suppress(RuntimeError):  # It has gone, or it is not one that fails.
                self.store.wait([CLEARED], TIME_TO_CLEAR)

    def shutdown(self) -> None:
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def describe(self) -> dict[str, object]:
        return {
            "processes": self.rank_info.size,
            "processes_here": self.rank_info.local_size,
            "backend": self.backend,
        }
