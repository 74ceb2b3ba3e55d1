"""The rank of this process among those that torchrun starts. No torch here."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mnist_trainer.errors import ConfigError


@dataclass(frozen=True)
class RankInfo:
    """Where torchrun has put this process, by the environment variables that it sets."""

    rank: int
    """Number of the process among all, 0 to size - 1."""
    size: int
    local_rank: int
    """Number of the process among those on its machine: the GPU that it takes."""
    local_size: int


SINGLE_PROCESS = RankInfo(rank=0, size=1, local_rank=0, local_size=1)


def find_rank_info(environment: Mapping[str, str] = os.environ) -> RankInfo:
    """The place of this process; the only one where no ``WORLD_SIZE`` above 1 is set.

    Raises:
        ConfigError: the variables are not those of torchrun.
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
    place = RankInfo(
        numbers["RANK"], numbers["WORLD_SIZE"], numbers["LOCAL_RANK"], numbers["LOCAL_WORLD_SIZE"]
    )
    if place.rank >= place.size or place.local_rank >= place.local_size:
        raise ConfigError(
            f"RANK={place.rank} of WORLD_SIZE={place.size}: ranks count from 0. Start the processes"
            " with torchrun."
        )
    return place


def shard_of(count: int, place: RankInfo) -> slice:
    """The share of one place in ``count`` things."""
    least, more = divmod(count, place.size)
    start = place.rank * least + min(place.rank, more)
    return slice(start, start + least + (place.rank < more))
