"""A model explained, layer by layer: how its shapes, parameters and multiply-adds come about."""

from dataclasses import dataclass

from torch import nn

from mnist_trainer.models.layer_shapes import (
    Shape,
    has_matrix,
    leaves_uncounted,
    macs,
    macs_written_out,
    parameters_written_out,
    product,
    sizes_written_out,
    times,
)
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.models.trace import LayerCall, Remainder, TensorSource, trace_image

NOT_COUNTED = "not counted"


@dataclass(frozen=True)
class Explained:
    """One layer, a step between layers, or parameters beside them."""

    name: str
    kind: str
    output: str
    sizes: list[str]
    """How the output comes to have its shape."""
    parameters: str | None
    macs: str | None


@dataclass(frozen=True)
class Model:
    """A model with what surrounds it."""

    module: nn.Module
    criterion: nn.Module
    image_shape: Shape
    num_classes: int


def explain_layers(model: Model) -> list[Explained]:
    """Each layer, in the order in which an image passes it; then what holds parameters and is no
    such layer.

    Raises:
        ConfigError: the arithmetic does not fit; names the layer.
    """
    trace = trace_image(model.module, model.image_shape, model.num_classes)
    explained: list[Explained] = []
    seen: set[nn.Module] = set()
    for call in trace.calls:
        explained += between_layers(call.origin)
        explained.append(explain_layer(call, used_before=call.layer in seen))
        seen.add(call.layer)
    return [*explained, *between_layers(trace.output), *map(explain_remainder, trace.remainders)]


def explain_layer(call: LayerCall, *, used_before: bool) -> Explained:
    """One layer that the image passes."""
    layer, whole = call.layer, call.whole
    uncounted = NOT_COUNTED if leaves_uncounted(layer, whole=whole) else None
    parameters = parameters_written_out(layer, whole=whole)
    if parameters and call.parameters == 0:
        parameters = "those of its first use" if used_before else "those of a layer above"
    elif call.parameters < sum(parameter.numel() for parameter in layer.parameters(recurse=whole)):
        parameters = f"{parameters}, of which {call.parameters:,} are not in a layer above"
    return Explained(
        name=call.name,
        kind=type(layer).__name__,
        output=times(call.output_shape),
        sizes=sizes_written_out(layer, call.input_shape, call.output_shape),
        parameters=parameters,
        macs=macs_written_out(layer, call.output_shape) or uncounted,
    )


def explain_remainder(rest: Remainder) -> Explained:
    """Parameters in no layer that the image passes."""
    said = (
        "its own, beside its layers"
        if rest.called
        else "never called: unused, or its numbers are used elsewhere"
    )
    uncounted = NOT_COUNTED if has_matrix(rest.layer) else None
    return Explained(
        rest.name,
        type(rest.layer).__name__,
        "",
        [said],
        parameters_written_out(rest.layer),
        uncounted,
    )


def between_layers(origin: TensorSource | None) -> list[Explained]:
    """What a model's own ``forward`` does without a layer before a tensor goes on: one line, or
    none where it does nothing."""
    if origin is None or (origin.direct and origin.unchanged):
        return []
    said = []
    if origin.source is None:
        said.append("computed without a layer")
    elif not origin.direct:
        said.append(f"{origin.source} again")
    if origin.source is not None and not origin.unchanged:
        said.append(
            f"{product(origin.source_shape)} becomes {product(origin.shape)}, not by a layer"
        )
    return [Explained("(forward)", "", times(origin.shape), said, None, None)]


def totals(model: Model) -> list[tuple[str, str]]:
    """Parameters and multiply-adds in all, as sums; and what is not in them.

    Raises:
        ConfigError: as ``explain_layers``.
    """
    trace = trace_image(model.module, model.image_shape)
    own = [
        *(call.parameters for call in trace.calls),
        *(rest.parameters for rest in trace.remainders),
    ]
    work = [macs(each.layer, each.output_shape) for each in trace.calls]
    uncounted = [
        each.name for each in trace.calls if leaves_uncounted(each.layer, whole=each.whole)
    ]
    uncounted += [rest.name for rest in trace.remainders if has_matrix(rest.layer)]
    rows = [("parameters", written_sum(own)), ("multiply-adds", written_sum(work))]
    rows += (
        [(NOT_COUNTED, f"multiply-adds of {', '.join(dict.fromkeys(uncounted))}")]
        if uncounted
        else []
    )
    frozen = sum(own) - count_parameters(model.module)
    return [*rows, ("not trained", f"{frozen:,}")] if frozen else rows


def written_sum(numbers: list[int]) -> str:
    """A sum with what it is made of."""
    counted = [number for number in numbers if number]
    total = f"{sum(counted):,}"
    return (
        total
        if len(counted) < 2
        else f"{' + '.join(f'{number:,}' for number in counted)} = {total}"
    )
