"""Rank and world size, from the environment variables that torchrun sets. No torch here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mnist_trainer.errors import ConfigError


@dataclass(frozen=True)
class RankInfo:
    """Rank of a process and size of its world, in all and on its machine."""

    rank: int
    """0 to size - 1; the main process has 0."""
    size: int
    local_rank: int
    """Rank among the processes on this machine: the index of its GPU."""
    local_size: int


SINGLE_PROCESS = RankInfo(rank=0, size=1, local_rank=0, local_size=1)


def find_rank_info(environment: Mapping[str, str] = os.environ) -> RankInfo:
    """Read the rank of this process; ``SINGLE_PROCESS`` where ``WORLD_SIZE`` is not above 1.

    Raises:
        ConfigError: the variables are incomplete or contradict each other.
    """
    if environment.get("WORLD_SIZE", "1").strip() in ("", "1"):
        return SINGLE_PROCESS
    numbers = {}
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        text = environment.get(name, "")
        if not text.isdigit():
            raise ConfigError(
                f"WORLD_SIZE={environment['WORLD_SIZE']} asks for several processes, but {name} is"
                f" {text or 'not set'}.\nStart them with torchrun --nproc-per-node N -m"
                " mnist_trainer ..., or unset WORLD_SIZE for one process."
            )
        numbers[name] = int(text)
    info = RankInfo(
        numbers["RANK"], numbers["WORLD_SIZE"], numbers["LOCAL_RANK"], numbers["LOCAL_WORLD_SIZE"]
    )
    if info.rank >= info.size or info.local_rank >= info.local_size:
        raise ConfigError(
            f"RANK={info.rank} of WORLD_SIZE={info.size}: ranks count from 0. Start the processes"
            " with torchrun."
        )
    return info


def shard_of(count: int, rank_info: RankInfo) -> slice:
    """The items that one rank works on: consecutive, in rank order, sizes differ by at most one."""
    least, more = divmod(count, rank_info.size)
    start = rank_info.rank * least + min(rank_info.rank, more)
    return slice(start, start + least + (rank_info.rank < more))
