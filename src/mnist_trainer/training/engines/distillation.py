"""The engine of distillation: autograd, with a loss that also looks at a teacher's logits."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mnist_trainer.compute.device import Device
from mnist_trainer.models.losses import Distill


@dataclass(frozen=True)
class DistillationEngine:
    """Gradients of a student; see ``step.Engine``. The teacher sees the student's own images."""

    model: nn.Module
    criterion: Distill
    teacher: nn.Module
    """In evaluation mode: images as the student sees them to logits (N, C)."""
    scaler: GradScaler
    device: Device

    def backpropagate(
        self, images: Tensor, labels: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        with self.device.autocast():
            with torch.no_grad():
                teacher_logits = self.teacher(images)  # (B, C)
            logits = self.model(images)  # (B, C)
            loss = self.criterion.distill(logits, labels, teacher_logits)
        loss = loss if loss_weight == 1 else loss * loss_weight
        self.scaler.scale(loss).backward()
        return loss.detach(), logits.detach()
