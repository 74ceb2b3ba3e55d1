"""The teacher of a distillation: a network that another run has trained."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.data.transforms import Transforms
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.losses import Distill
from mnist_trainer.runs.checkpoint import load_checkpoint, weights_sha256
from mnist_trainer.runs.folder import display_path
from mnist_trainer.runs.latest import run_path
from mnist_trainer.runs.lookup import locate_checkpoint
from mnist_trainer.system.paths import user_path
from mnist_trainer.training.saved_network import (
    read_class_names,
    read_saved_config,
    rebuild_network,
)

log = logging.getLogger(__name__)

BLANK = torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)


class Teacher(nn.Module):
    """A trained network behind a change of the scale of its images."""

    def __init__(self, network: nn.Module, scale: float, shift: float) -> None:
        super().__init__()
        self.network = network
        self.scale = scale
        self.shift = shift

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 1, H, W) on the student's scale to logits (N, C)."""
        logits: Tensor = self.network(images * self.scale + self.shift)
        return logits


def load_teacher(
    criterion: Distill, class_names: Sequence[str], transforms: Transforms, device: Device
) -> Teacher:
    """The teacher that the loss names, in evaluation mode; nothing in its folder is executed.

    Args:
        class_names: of the student.
        transforms: of the student, whose images the teacher is going to see.

    Raises:
        ConfigError: none is named, there is no such run, or it does not fit the student.
        CheckpointError: the checkpoint is missing, damaged, or not what a run writes.
    """
    located = locate_checkpoint(checked_name(criterion.teacher))
    state = load_checkpoint(located.checkpoint)
    config = read_saved_config(located.checkpoint, state)
    names = read_class_names(located.checkpoint, state)
    if names != tuple(class_names):
        raise ConfigError(
            f"loss.teacher={criterion.teacher}: its classes are {', '.join(names)}, and those of"
            f" this run are {', '.join(class_names)}. Name a teacher of the same data, or use"
            " loss=cross_entropy"
        )
    network, own, size = rebuild_network(located.checkpoint, state["weights"], config, len(names))
    log.info("Teacher: %s, weights %s", located.checkpoint, weights_sha256(state["weights"])[:12])
    scale, shift = change_of_scale(transforms, own, size, f"loss.teacher={criterion.teacher}")
    placed = network.to(device.torch_device).to(memory_format=device.memory_format)
    return Teacher(placed.requires_grad_(False), scale, shift).eval()


def checked_name(asked: str | None) -> str:
    """The folder that a configuration names.

    Raises:
        ConfigError: none, or a name that will stand for another run.
    """
    if not asked:
        raise ConfigError(
            "loss.teacher=null: distillation needs the run of a teacher. Name its folder, such as"
            " loss.teacher=outputs/teacher, or use loss=cross_entropy"
        )
    if (path := run_path(asked)) != user_path(asked):
        raise ConfigError(
            f"loss.teacher={asked}: stands for another run each time, and soon for this one. Name"
            f" the folder itself: loss.teacher={display_path(path)}"
        )
    return asked


def change_of_scale(
    student: Transforms, teacher: Transforms, size: int, asked: str
) -> tuple[float, float]:
    """Factor and shift from the pixels that the student sees to those that the teacher knows.

    Args:
        student, teacher: their fixed transforms.
        size: side of the images that the teacher sees.
        asked: the setting, for the message.

    Raises:
        ConfigError: a factor and a shift do not lead from the one to the other.
    """
    if student.recipe is not None and student.recipe == teacher.recipe:
        return 1.0, 0.0
    seen, known = student.pixel_range(), teacher.pixel_range()
    if seen is None or known is None or student.preprocess(BLANK).shape[-1] != size:
        raise ConfigError(
            f"{asked}: it knows images of {size}x{size} pixels behind its own transforms, and those"
            " of this run lead to others. Use the transforms that the teacher was trained with"
        )
    (low, high), (own_low, own_high) = seen, known
    scale = (own_high - own_low) / (high - low)
    return scale, own_low - low * scale
