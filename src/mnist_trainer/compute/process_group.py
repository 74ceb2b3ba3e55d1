"""Several processes that make one run: who says what, what is shared, and the one message that they
exchange a step.

A step is made of the same images as in one process: each process takes its part of the update's
images, weighs its mean loss by its share of them, and the sum of the gradients is that of the mean
over all. The sum is one all-reduce of one flat buffer, in which the loss, the right answers, the
statistics of batch normalisation and a request to stop travel along. PyTorch's
DistributedDataParallel averages where shares must be weighed (the last batch of an epoch does not
divide), renames the weights, and hides behind the backward pass what is sent: that pays for models
of hundreds of megabytes, and these have one.
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
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from mnist_trainer.compute.ranks import RankInfo, shard_of
from mnist_trainer.compute.world import World
from mnist_trainer.errors import AlreadyReportedError, ExitCode, MachineError, UserError
from mnist_trainer.runs.metrics import Metrics
from mnist_trainer.system.signals import SharedInterruption

PATIENCE = timedelta(minutes=10)
"""How long to wait for a process that lives but does not answer; one that has ended is noticed at
once."""
BACKENDS = "cpu:gloo,cuda:nccl"


class ProcessGroup(World):
    """One of several processes."""

    def __init__(self, place: RankInfo, device: torch.device) -> None:
        """Raises:
        MachineError: the processes do not come together.
        """
        self.rank_info = place
        self.device = device
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        self._interruption: SharedInterruption | None = None
        own = place.local_size == place.size
        self.command = (
            f"torchrun {f'--nproc-per-node {place.size}' if own else '...'} -m mnist_trainer"
        )
        try:
            store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
            # Torchrun may start the processes anew: what those before them have left in the store
            # is not meant for them.
            self.store = PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)
            dist.init_process_group(
                BACKENDS if device.type == "cuda" else "gloo",
                store=self.store,
                rank=place.rank,
                world_size=place.size,
                timeout=PATIENCE,
                device_id=device if device.type == "cuda" else None,
            )
        except (RuntimeError, ValueError) as error:
            where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
            raise MachineError(
                f"Process {place.rank} of {place.size} cannot join the others at {where}:"
                f" {str(error).splitlines()[0]}\nIs that machine to be reached from all others? See"
                " --master-addr or --rdzv-endpoint of torchrun."
            ) from error

    def broadcast_from_main(self, make: Callable[[], str]) -> str:
        """Raises:
        UserError: making it failed; the first process alone says how.
        """
        failure: UserError | None = None
        answer: dict[str, Any] = {}
        if self.is_main_process:
            try:
                answer = {"made": make()}
            except UserError as error:
                failure, answer = error, {"code": int(error.exit_code)}
        answer = self._broadcast(answer)
        if failure is not None:
            raise failure
        if "code" in answer:
            raise AlreadyReportedError(answer["code"])
        return str(answer["made"])

    def _broadcast(self, value: dict[str, Any]) -> dict[str, Any]:
        """A JSON object of the first process, for all."""
        content = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = torch.tensor(len(content))
        self._together(dist.broadcast, length, 0)
        if not self.is_main_process:
            content = torch.empty(int(length), dtype=torch.uint8)
        self._together(dist.broadcast, content, 0)
        received: dict[str, Any] = json.loads(content.numpy().tobytes())
        return received

    def shard(self, count: int) -> slice:
        return shard_of(count, self.rank_info)

    def reduce_metrics(self, metrics: Metrics) -> Metrics:
        sums = torch.tensor(
            [metrics.loss * metrics.count, metrics.correct, metrics.count], dtype=torch.float64
        )
        self._together(dist.all_reduce, sums)
        loss_sum, correct, count = sums.tolist()
        return Metrics(loss_sum / max(1.0, count), int(correct), int(count))

    def broadcast_model(self, model: nn.Module) -> None:
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                plain = tensor.contiguous()
                self._together(dist.broadcast, plain, 0)
                tensor.copy_(plain)

    def interruption(self) -> SharedInterruption:
        self._interruption = SharedInterruption()
        return self._interruption

    def stop_flags(self) -> tuple[float, float]:
        return (0.0, 0.0) if self._interruption is None else self._interruption.votes()

    def apply_stop_flags(self, votes: Tensor) -> None:
        if self._interruption is not None:
            self._interruption.decide(votes.tolist())

    def all_reduce_sum(self, buffer: Tensor) -> None:
        self._together(dist.all_reduce, buffer)

    def barrier(self) -> None:
        self._together(dist.all_reduce, torch.zeros(1))

    def _together(self, collective: Callable[..., Any], *arguments: Any) -> None:
        """Do what all processes do at this point.

        Raises:
            MachineError: one of them has gone.
        """
        try:
            collective(*arguments)
        except RuntimeError as error:
            if self._is_first_to("lost"):
                raise MachineError(
                    f"Another of the {self.rank_info.size} processes of this run has ended, or cannot"
                    f" be reached any more (seen by process {self.rank_info.rank}). Its own message, or"
                    " torchrun's, says more."
                ) from error
            raise AlreadyReportedError(ExitCode.ENVIRONMENT) from error

    def deduplicate_error(self, error: UserError) -> UserError:
        key = hashlib.sha256(str(error).encode()).hexdigest()
        return error if self._is_first_to(key) else AlreadyReportedError(error.exit_code)

    def _is_first_to(self, key: str) -> bool:
        """Whether no other process has asked for this before."""
        with suppress(RuntimeError):
            return int(self.store.add(f"said/{key}", 1)) == 1
        # What kept count has gone, with the process that it was in.
        return True

    def shutdown(self) -> None:
        with suppress(RuntimeError):
            dist.destroy_process_group()

    def describe(self) -> dict[str, object]:
        return {
            "processes": self.rank_info.size,
            "processes_here": self.rank_info.local_size,
            "backend": self.backend,
        }
