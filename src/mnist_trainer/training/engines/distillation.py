"""The engine of distillation: autograd, with a loss that also looks at a teacher's logits."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_trainer.models.losses import Distill
from mnist_trainer.training.engines.autograd import AutogradEngine


@dataclass(frozen=True)
class DistillationEngine(AutogradEngine):
    """Gradients of a student; see ``step.Engine``. The teacher sees the student's own images."""

    criterion: Distill
    teacher: nn.Module
    """In evaluation mode: images as the student sees them to logits (N, C)."""

    def loss(self, images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        with torch.no_grad():
            teacher_logits = self.teacher(images)  # (B, C)
        return self.criterion.distill(logits, labels, teacher_logits)
