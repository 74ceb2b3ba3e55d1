"""What a model is made of: layers, output shapes, parameters, multiply-adds."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.faults import is_out_of_memory


@dataclass(frozen=True)
class LayerSummary:
    """One layer that has no layers within it."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    """Without the batch."""
    parameters: int
    multiply_adds: int
    """For one image."""


def summarize(model: nn.Module, image_shape: tuple[int, ...] = (1, 28, 28)) -> list[LayerSummary]:
    """The layers in the order in which one image passes them.

    Raises:
        ConfigError: an image cannot pass; names the layer where it stops.
    """
    layers: list[LayerSummary] = []
    inside: list[str] = []

    def before(name: str, layer: nn.Module) -> None:
        inside.append(f"{name} ({type(layer).__name__})")

    def after(name: str, layer: nn.Module, output: Tensor) -> None:
        inside.pop()
        parameters = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
        shape = tuple(output.shape[1:])
        layers.append(LayerSummary(name, type(layer).__name__, shape, parameters, multiply_adds(layer, shape)))

    hooks = []
    for name, layer in model.named_modules():
        if not list(layer.children()):
            hooks.append(layer.register_forward_pre_hook(lambda layer, _, name=name: before(name, layer)))
            hooks.append(layer.register_forward_hook(lambda layer, _, output, name=name: after(name, layer, output)))
    was_training = model.training
    parameter = next(model.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            model.eval()(torch.zeros((1, *image_shape), device=parameter.device, dtype=parameter.dtype))
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        where = inside[-1] if inside else "the model"
        raise ConfigError(f"model: an image of {image_shape} cannot pass {where}: {error}") from error
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    return layers


def multiply_adds(layer: nn.Module, output_shape: tuple[int, ...]) -> int:
    """Multiplications with a following addition that a layer makes for one image; other layers than these make none."""
    if isinstance(layer, nn.Conv2d):
        kernel = math.prod(layer.kernel_size) * layer.in_channels // layer.groups
        return math.prod(output_shape) * kernel
    if isinstance(layer, nn.Linear):
        return math.prod(output_shape) * layer.in_features
    return 0


def count_parameters(model: nn.Module) -> int:
    """Numbers that training adjusts."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
