"""The engine with PyTorch's automatic differentiation: for any model and any loss."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from mnist_trainer.compute.device import Device


@dataclass(frozen=True)
class AutogradEngine:
    """Gradients by ``Tensor.backward``; see ``step.Engine``."""

    model: nn.Module
    criterion: nn.Module
    scaler: GradScaler
    device: Device

    def backpropagate(
        self, images: Tensor, labels: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        with self.device.autocast():
            logits = self.model(images)  # (B, C)
            loss = self.loss(images, logits, labels)
        loss = loss if loss_weight == 1 else loss * loss_weight
        self.scaler.scale(loss).backward()
        return loss.detach(), logits.detach()

    def loss(self, images: Tensor, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002
        """Mean loss of images (B, 1, H, W) with logits (B, C) and labels (B,), a scalar."""
        loss: Tensor = self.criterion(logits, labels)
        return loss
