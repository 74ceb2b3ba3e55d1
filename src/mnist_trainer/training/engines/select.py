"""The engines that compute gradients: PyTorch's automatic differentiation, or formulas derived by
hand in two namespaces."""

from torch import nn
from torch.amp.grad_scaler import GradScaler

from mnist_trainer.compute.device import Device
from mnist_trainer.training.engines.autograd import AutogradEngine
from mnist_trainer.training.engines.manual import NUMPY, TENSORS, ManualEngine
from mnist_trainer.training.step import Engine

NAMESPACES = {"manual": TENSORS, "numpy": NUMPY}


def make_engine(
    name: str, model: nn.Module, criterion: nn.Module, scaler: GradScaler, device: Device
) -> Engine:
    """The engine of that name for a model and a loss.

    Raises:
        ConfigError: the engine has no formula for a part of them.
    """
    if name == "autograd":
        return AutogradEngine(model, criterion, scaler, device)
    return ManualEngine(NAMESPACES[name], model, criterion)
