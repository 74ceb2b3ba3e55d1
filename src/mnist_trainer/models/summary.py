"""Summary of a model: layers, output shapes, parameters, multiply-adds."""

from dataclasses import dataclass

from torch import nn

from mnist_trainer.models.layer_shapes import Shape, macs
from mnist_trainer.models.trace import trace_image


@dataclass(frozen=True)
class LayerSummary:
    """One layer, or the parameters that a module holds outside its layers."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    """Without the batch; empty for parameters outside the layers."""
    parameters: int
    """Number of parameters that no layer before it counts."""
    macs: int
    """Multiply-adds for one image."""


def summarize(
    model: nn.Module, image_shape: Shape = (1, 28, 28), num_classes: int | None = None
) -> list[LayerSummary]:
    """The layers in the order of their calls, then parameters outside of all layers.

    Raises:
        ConfigError: as ``trace_image``.
    """
    trace = trace_image(model, image_shape, num_classes)
    return [
        *(
            LayerSummary(
                name=call.name,
                kind=type(call.layer).__name__,
                output_shape=call.output_shape,
                parameters=call.parameters,
                macs=macs(call.layer, call.output_shape),
            )
            for call in trace.calls
        ),
        *(
            LayerSummary(rest.name, type(rest.layer).__name__, (), rest.parameters, 0)
            for rest in trace.remainders
        ),
    ]


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
