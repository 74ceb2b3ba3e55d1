"""A model explained, layer by layer: how its shapes, parameters and multiply-adds come about."""

from dataclasses import dataclass

import torch
from torch import nn

from mnist_trainer.arithmetic import (
    Shape,
    multiply_adds,
    multiply_adds_written_out,
    parameters_written_out,
    product,
    sizes_written_out,
    times,
)
from mnist_trainer.build import build_loss, build_model, build_transforms
from mnist_trainer.data.images import IMAGE_SIZE
from mnist_trainer.settings import NUM_CLASSES, RunConfig
from mnist_trainer.summary import count_parameters, pass_image


@dataclass(frozen=True)
class Explained:
    """One layer, or a step between layers."""

    name: str
    kind: str
    output: str
    sizes: list[str]
    """How the output comes to have its shape."""
    parameters: str | None
    multiply_adds: str | None


@dataclass(frozen=True)
class Model:
    """A model with what surrounds it."""

    module: nn.Module
    criterion: nn.Module
    image_shape: Shape
    num_classes: int


def configured_model(config: RunConfig) -> Model:
    """The model that a run of this configuration would begin with, for the images that its transforms make.

    Raises:
        ConfigError: it cannot be built.
    """
    transforms = build_transforms(config.fixed_transforms, config.random_transforms)
    pixels = torch.zeros((1, 1, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    image_shape = tuple(transforms.prepare(pixels).shape[1:])
    num_classes = NUM_CLASSES[config.data.name]
    module = build_model(config.model, num_classes, image_shape[-1])
    return Model(module, build_loss(config.loss), image_shape, num_classes)


def explain_layers(model: Model) -> list[Explained]:
    """Each layer, in the order in which an image passes it.

    Raises:
        ConfigError: the arithmetic does not fit; names the layer.
    """
    explained: list[Explained] = []
    seen: set[nn.Module] = set()
    shape = model.image_shape
    for passage in pass_image(model.module, model.image_shape, model.num_classes):
        if passage.input_shape != shape:
            explained.append(between_layers(shape, passage.input_shape))
        layer, shape = passage.layer, passage.output_shape
        again = layer in seen
        seen.add(layer)
        parameters = parameters_written_out(layer)
        explained.append(
            Explained(
                name=passage.name,
                kind=type(layer).__name__,
                output=times(shape),
                sizes=sizes_written_out(layer, passage.input_shape, shape),
                parameters="those of its first use" if again and parameters else parameters,
                multiply_adds=multiply_adds_written_out(layer, shape),
            )
        )
    if shape != (model.num_classes,):
        explained.append(between_layers(shape, (model.num_classes,)))
    return explained


def between_layers(before: Shape, after: Shape) -> Explained:
    """What a model's own ``forward`` does without a layer."""
    return Explained("(forward)", "", times(after), [f"{product(before)} becomes {product(after)}, not by a layer"], None, None)


def totals(model: Model) -> list[tuple[str, str]]:
    """Parameters and multiply-adds in all, as sums."""
    own = [sum(parameter.numel() for parameter in layer.parameters(recurse=False)) for layer in model.module.modules()]
    work = [multiply_adds(each.layer, each.output_shape) for each in pass_image(model.module, model.image_shape)]
    rows = [("parameters", written_sum(own)), ("multiply-adds", written_sum(work))]
    frozen = sum(own) - count_parameters(model.module)
    return [*rows, ("not trained", f"{frozen:,}")] if frozen else rows


def written_sum(numbers: list[int]) -> str:
    """A sum with what it is made of."""
    counted = [number for number in numbers if number]
    total = f"{sum(counted):,}"
    return total if len(counted) < 2 else f"{' + '.join(f'{number:,}' for number in counted)} = {total}"
