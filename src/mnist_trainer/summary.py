"""What a model is made of: layers, shapes, parameters, multiply-adds."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_trainer.arithmetic import Shape, misfit, multiply_adds, times
from mnist_trainer.errors import ConfigError
from mnist_trainer.faults import is_out_of_memory


@dataclass(frozen=True)
class Passage:
    """An image's way through one layer that has no layers within it."""

    name: str
    layer: nn.Module
    input_shape: Shape
    """Without the batch, as are all shapes here."""
    output_shape: Shape


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


def summarize(model: nn.Module, image_shape: Shape = (1, 28, 28), num_classes: int | None = None) -> list[LayerSummary]:
    """The layers in the order in which one image passes them.

    Raises:
        ConfigError: as ``pass_image``.
    """
    return [
        LayerSummary(
            name=passage.name,
            kind=type(passage.layer).__name__,
            output_shape=passage.output_shape,
            parameters=sum(parameter.numel() for parameter in passage.layer.parameters(recurse=False)),
            multiply_adds=multiply_adds(passage.layer, passage.output_shape),
        )
        for passage in pass_image(model, image_shape, num_classes)
    ]


def pass_image(model: nn.Module, image_shape: Shape, num_classes: int | None = None) -> list[Passage]:
    """Send one image through a model, and note each layer that it passes.

    Args:
        num_classes: how many logits must come out; None takes what comes.

    Raises:
        ConfigError: an image cannot pass, or not one number for each class comes out; names the layer.
    """
    passages: list[Passage] = []
    inside: list[tuple[str, nn.Module, Shape]] = []

    def before(name: str, layer: nn.Module, inputs: tuple[object, ...]) -> None:
        inside.append((name, layer, shape_of(inputs)))

    def after(output: object) -> None:
        name, layer, input_shape = inside.pop()
        passages.append(Passage(name, layer, input_shape, shape_of(output)))

    hooks = []
    for name, layer in model.named_modules():
        if not list(layer.children()):
            shown = name or type(layer).__name__
            hooks.append(layer.register_forward_pre_hook(lambda layer, inputs, name=shown: before(name, layer, inputs)))
            hooks.append(layer.register_forward_hook(lambda _, __, output: after(output)))
    was_training = model.training
    parameter = next(model.parameters(), torch.zeros(()))
    try:
        with torch.no_grad():
            output = model.eval()(torch.zeros((1, *image_shape), device=parameter.device, dtype=parameter.dtype))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        raise ConfigError(_refusal(inside, passages, image_shape, error)) from error
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was_training)
    if num_classes is not None and shape_of(output) != (num_classes,):
        last = f"{passages[-1].name} ({type(passages[-1].layer).__name__})" if passages else type(model).__name__
        raise ConfigError(
            f"model: {last} puts out {times(shape_of(output))} for an image, and the data has {num_classes} classes:"
            f" a model must put out {num_classes} numbers, one for each."
        )
    return passages


def shape_of(value: object) -> Shape:
    """Shape of a tensor, or of the first of several, without the batch."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, tuple | list) and value:
        return shape_of(value[0])
    return ()


def _refusal(inside: list[tuple[str, nn.Module, Shape]], passages: list[Passage], image: Shape, error: Exception) -> str:
    """Why an image cannot pass, and where it stopped."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if not inside:
        after = f" after {passages[-1].name} ({type(passages[-1].layer).__name__})" if passages else ""
        return f"model: an image of {times(image)} cannot pass the model{after}: {reason}"
    name, layer, shape = inside[-1]
    where = f"{name} ({type(layer).__name__})"
    return (
        f"model: an image of {times(image)} cannot pass {where}, where {times(shape)} arrives: {misfit(layer, shape) or reason}"
    )


def count_parameters(model: nn.Module) -> int:
    """Numbers that training adjusts."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
