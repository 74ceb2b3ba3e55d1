"""Build the model and the loss that a configuration names."""

from torch import nn

from mnist_trainer.config.instantiate import build
from mnist_trainer.config.settings import Component


def build_model(component: Component, num_classes: int, image_size: int = 28) -> nn.Module:
    """The network: images (N, 1, image_size, image_size) to logits (N, num_classes)."""
    return build(component, nn.Module, num_classes=num_classes, image_size=image_size)


def build_loss(component: Component) -> nn.Module:
    """The loss: logits (N, C) and labels (N,) to their mean over the batch, a scalar."""
    return build(component, nn.Module)
