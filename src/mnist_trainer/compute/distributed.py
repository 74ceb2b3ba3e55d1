"""Connect the processes of a run; a single process never imports ``torch.distributed``."""

from typing import TYPE_CHECKING

from mnist_trainer.compute.ranks import RankInfo
from mnist_trainer.compute.world import SINGLE_WORLD, World

if TYPE_CHECKING:
    import torch


def init_distributed(rank_info: RankInfo, device: "torch.device") -> World:
    """Connect to the other processes of the run, waiting until all have started.

    Raises:
        MachineError: they cannot be connected.
    """
    if rank_info.size == 1:
        return SINGLE_WORLD
    from mnist_trainer.compute.process_group import ProcessGroup

    return ProcessGroup(rank_info, device)
