"""Join the processes of a run. A run of one process never imports ``torch.distributed``."""

from typing import TYPE_CHECKING

from mnist_trainer.compute.ranks import RankInfo
from mnist_trainer.compute.world import SINGLE_WORLD, World

if TYPE_CHECKING:
    import torch


def init_distributed(place: RankInfo, device: "torch.device") -> World:
    """The world that this process belongs to; waits until all of its processes are there.

    Raises:
        MachineError: they do not come together.
    """
    if place.size == 1:
        return SINGLE_WORLD
    from mnist_trainer.compute.process_group import ProcessGroup

    return ProcessGroup(place, device)
