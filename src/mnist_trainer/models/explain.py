"""Explain a model layer by layer: the arithmetic of shapes, parameters and multiply-adds."""

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
    """A row of the explanation: a layer, a step between layers, or parameters outside of them."""

    name: str
    kind: str
    output: str
    sizes: list[str]
    """The arithmetic of the output shape, line by line."""
    parameters: str | None = None
    macs: str | None = None


@dataclass(frozen=True)
class Model:
    """A model with its loss, the shape of its images and the number of classes."""

    module: nn.Module
    criterion: nn.Module
    image_shape: Shape
    num_classes: int


def explain_layers(model: Model) -> list[Explained]:
    """Explain each layer in the order of the calls, then parameters outside of all layers.

    Raises:
        ConfigError: a layer does not fit its input; names the layer.
    """
    trace = trace_image(model.module, model.image_shape, model.num_classes)
    explained: list[Explained] = []
    seen: set[nn.Module] = set()
    for call in trace.calls:
        explained += between_layers(call.origin)
        explained.append(explain_call(call, used_before=call.layer in seen))
        seen.add(call.layer)
    return [*explained, *between_layers(trace.output), *map(explain_remainder, trace.remainders)]


def explain_call(call: LayerCall, *, used_before: bool) -> Explained:
    """Explain one layer."""
    layer, whole = call.layer, call.whole
    parameters = parameters_written_out(layer, whole=whole)
    if parameters and call.parameters == 0:
        parameters = "those of its first use" if used_before else "those of a layer above"
    elif call.parameters < sum(each.numel() for each in layer.parameters(recurse=whole)):
        parameters = f"{parameters}, of which {call.parameters:,} are not in a layer above"
    uncounted = NOT_COUNTED if leaves_uncounted(layer, whole=whole) else None
    return Explained(
        name=call.name,
        kind=type(layer).__name__,
        output=times(call.output_shape),
        sizes=sizes_written_out(layer, call.input_shape, call.output_shape),
        parameters=parameters,
        macs=macs_written_out(layer, call.output_shape) or uncounted,
    )


def explain_remainder(rest: Remainder) -> Explained:
    """Explain parameters outside of the layers that were called."""
    use = (
        "its own, beside its layers"
        if rest.called
        else "never called: unused, or its numbers are used elsewhere"
    )
    parameters = parameters_written_out(rest.layer)
    uncounted = NOT_COUNTED if has_matrix(rest.layer) else None
    return Explained(rest.name, type(rest.layer).__name__, "", [use], parameters, uncounted)


def between_layers(origin: TensorSource | None) -> list[Explained]:
    """Explain what a model's own ``forward`` did to a tensor; empty where it did nothing."""
    if origin is None or (origin.direct and origin.unchanged):
        return []
    if origin.source is None:
        return [Explained("(forward)", "", times(origin.shape), ["computed without a layer"])]
    lines = [] if origin.direct else [f"{origin.source} again"]
    if not origin.unchanged:
        before, after = product(origin.source_shape), product(origin.shape)
        lines.append(f"{before} becomes {after}, not by a layer")
    return [Explained("(forward)", "", times(origin.shape), lines)]


def totals(model: Model) -> list[tuple[str, str]]:
    """Parameters and multiply-adds of the model, as sums, and what they leave out.

    Raises:
        ConfigError: as ``explain_layers``.
    """
    trace = trace_image(model.module, model.image_shape)
    counts = [call.parameters for call in trace.calls]
    counts += [rest.parameters for rest in trace.remainders]
    work = [macs(each.layer, each.output_shape) for each in trace.calls]
    rows = [("parameters", written_sum(counts)), ("multiply-adds", written_sum(work))]
    uncounted = [
        each.name for each in trace.calls if leaves_uncounted(each.layer, whole=each.whole)
    ]
    uncounted += [rest.name for rest in trace.remainders if has_matrix(rest.layer)]
    if uncounted:
        rows.append((NOT_COUNTED, f"multiply-adds of {', '.join(dict.fromkeys(uncounted))}"))
    if frozen := sum(counts) - count_parameters(model.module):
        rows.append(("not trained", f"{frozen:,}"))
    return rows


def written_sum(numbers: list[int]) -> str:
    """A sum with its terms, such as ``260 + 10 = 270``."""
    terms = [f"{number:,}" for number in numbers if number]
    total = f"{sum(numbers):,}"
    return total if len(terms) < 2 else f"{' + '.join(terms)} = {total}"
