"""Join the processes of a run. A run of one process never imports ``torch.distributed``."""

from typing import TYPE_CHECKING

from mnist_trainer.compute.ranks import Place
from mnist_trainer.compute.world import ALONE, World

if TYPE_CHECKING:
    import torch


def join(place: Place, device: "torch.device") -> World:
    """The world that this process belongs to; waits until all of its processes are there.

    Raises:
        MachineError: they do not come together.
    """
    if place.size == 1:
        return ALONE
    from mnist_trainer.compute.process_group import ProcessGroup

    return ProcessGroup(place, device)
