"""Exact evaluation: every image once, the last partial batch included."""

from torch import Tensor, nn

from mnist_trainer.device import Device
from mnist_trainer.metrics import Meter, Metrics
from mnist_trainer.steps import eval_step


def evaluate(model: nn.Module, criterion: nn.Module, device: Device, images: Tensor, labels: Tensor, batch_size: int) -> Metrics:
    """Loss and accuracy of a model, in evaluation mode; the mode it came in is restored.

    Args:
        images: (N, 1, 28, 28), prepared, on the device.
        labels: (N,), on the device.
        batch_size: images in a forward pass; the result does not depend on it.
    """
    meter = Meter(device.torch_device)
    was_training = model.training
    model.eval()
    for batch, batch_labels in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        loss, correct = eval_step(model, criterion, device, batch, batch_labels)
        meter.add(loss, correct, len(batch_labels))
    model.train(was_training)
    return meter.read()
