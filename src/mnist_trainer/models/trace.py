"""Trace one image through a model: layer calls, sources of their inputs, parameters."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.layer_shapes import COUNTED, Shape, shape_mismatch, times
from mnist_trainer.system.memory import is_out_of_memory

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class TensorSource:
    """Where the input of a layer or the output of a model comes from; shapes without the batch."""

    source: str | None
    """The image or a layer; None for a tensor that was computed without a layer."""
    source_shape: Shape
    shape: Shape
    unchanged: bool
    """Whether it is the same view of the numbers, not a part of them or a flattened one."""
    direct: bool
    """Whether no other layer was called since."""


@dataclass(frozen=True)
class LayerCall:
    """A call of one layer; shapes are without the batch."""

    name: str
    layer: nn.Module
    input_shape: Shape
    origin: TensorSource | None
    """Of the first input; None where no tensor enters."""
    position: int
    """Number of layers called before."""
    output_shape: Shape = ()
    whole: bool = False
    """Whether it uses the parameters of layers within it without calling them, as
    ``nn.MultiheadAttention`` does: then they belong to it."""
    parameters: int = 0
    """Number of parameters that no layer before it counts."""


@dataclass(frozen=True)
class Remainder:
    """Parameters that a module holds itself, outside every layer that was called."""

    name: str
    layer: nn.Module
    called: bool
    """Whether the module was called: then its ``forward`` uses them beside its layers."""
    parameters: int


@dataclass(frozen=True)
class Trace:
    """What one image passes in a model."""

    calls: list[LayerCall]
    remainders: list[Remainder]
    output: TensorSource | None


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one layer: it has no modules within, or its arithmetic is known."""
    return isinstance(module, COUNTED) or (
        not list(module.children()) and not isinstance(module, CONTAINERS)
    )


def trace_image(model: nn.Module, image_shape: Shape, num_classes: int | None = None) -> Trace:
    """Send one image through a model and record each layer call.

    Args:
        num_classes: how many logits must come out; None accepts any number.

    Raises:
        ConfigError: a layer does not fit its input, or the output is not one number for each class;
            names the layer.
    """
    tracer = _Tracer(model)
    was_training = model.training
    parameter = next(model.parameters(), torch.zeros(()))
    image = torch.zeros((1, *image_shape), device=parameter.device, dtype=parameter.dtype)
    tracer.record("the image", image)
    try:
        with torch.no_grad():
            output = model.eval()(image)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        raise ConfigError(tracer.explain_failure(image_shape, error)) from error
    finally:
        for hook in tracer.hooks:
            hook.remove()
        model.train(was_training)
    if num_classes is not None and shape_of(output) != (num_classes,):
        raise ConfigError(
            f"model: {tracer.last_layer() or type(model).__name__} puts out"
            f" {times(shape_of(output))} for an image, and the data has {num_classes} classes: a"
            f" model must put out {num_classes} numbers, one for each."
        )
    origin = tracer.origin(next(tensors_in(output), None))
    return Trace(tracer.calls, tracer.remainders(), origin)


@dataclass(frozen=True)
class _Recorded:
    """A tensor when it was put out; holding it keeps its address from being used again."""

    source: str
    tensor: Tensor
    version: int
    position: int


class _Tracer:
    """Forward hooks on all modules of a model, and what they record."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.calls: list[LayerCall] = []
        self.hooks = []
        self._recorded: list[_Recorded] = []
        self._open: list[LayerCall] = []
        self._called: set[nn.Module] = set()
        self._counted: set[int] = set()
        for name, module in model.named_modules():
            shown = name or type(module).__name__
            enter = module.register_forward_pre_hook(
                lambda module, args, options, name=shown: self._enter(
                    name, module, (args, options)
                ),
                with_kwargs=True,
            )
            leave = module.register_forward_hook(
                lambda module, _, output: self._leave(module, output)
            )
            self.hooks += [enter, leave]

    def record(self, source: str, value: object) -> None:
        """Remember the tensors that a source put out."""
        for tensor in tensors_in(value):
            version = _version(tensor)
            self._recorded.append(_Recorded(source, tensor, version, len(self.calls)))

    def origin(self, tensor: Tensor | None) -> TensorSource | None:
        """Find the recorded tensor that this one is, or is a view of."""
        if tensor is None:
            return None
        # A layer may return its input: the last one that did is the source. A tensor that was
        # changed in place since is no longer what the layer put out.
        current = [each for each in reversed(self._recorded) if each.version == _version(tensor)]
        found = next((each for each in current if each.tensor is tensor), None) or next(
            (each for each in current if _share_storage(each.tensor, tensor)), None
        )
        shape = shape_of(tensor)
        if found is None:
            return TensorSource(None, (), shape, unchanged=False, direct=False)
        source = found.tensor
        unchanged = source is tensor or (
            (source.shape, source.stride(), source.storage_offset())
            == (tensor.shape, tensor.stride(), tensor.storage_offset())
        )
        direct = found.position == len(self.calls)
        return TensorSource(found.source, shape_of(source), shape, unchanged, direct)

    def _enter(self, name: str, module: nn.Module, inputs: tuple[object, object]) -> None:
        first = next(tensors_in(inputs), None)
        origin = self.origin(first)
        shape = origin.shape if origin else ()
        self._open.append(LayerCall(name, module, shape, origin, len(self.calls)))

    def _leave(self, module: nn.Module, output: object) -> None:
        call = self._open.pop()
        while call.layer is not module:
            # A forward caught an error within it and went on.
            call = self._open.pop()
        self._called.add(module)
        if any(is_layer(outer.layer) for outer in self._open) or not self._is_leaf(call):
            return
        whole = bool(list(module.children()))
        count = self._count(module, whole=whole)
        self.calls.append(
            replace(call, output_shape=shape_of(output), whole=whole, parameters=count)
        )
        self.record(f"the output of {call.name}", output)

    def _is_leaf(self, call: LayerCall) -> bool:
        """Whether a module is a layer, or has called none of the modules within it."""
        called_none = call.position == len(self.calls) and not isinstance(call.layer, CONTAINERS)
        return is_layer(call.layer) or called_none

    def _count(self, module: nn.Module, *, whole: bool) -> int:
        """Count the parameters that were not counted before."""
        new = {id(parameter): parameter.numel() for parameter in module.parameters(recurse=whole)}
        count = sum(number for key, number in new.items() if key not in self._counted)
        self._counted |= new.keys()
        return count

    def remainders(self) -> list[Remainder]:
        """The modules that hold parameters outside every layer that was called."""
        counts = [
            (name, module, self._count(module, whole=False))
            for name, module in self.model.named_modules()
        ]
        return [
            Remainder(name or type(module).__name__, module, module in self._called, count)
            for name, module, count in counts
            if count
        ]

    def last_layer(self) -> str:
        """Name and kind of the last layer that was called; empty if none was."""
        return (
            f"{self.calls[-1].name} ({type(self.calls[-1].layer).__name__})" if self.calls else ""
        )

    def explain_failure(self, image: Shape, error: Exception) -> str:
        """Which layer an image could not pass, and why."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        stopped = [call for call in self._open if is_layer(call.layer)] or [
            call for call in self._open if self._is_leaf(call) and call.layer is not self.model
        ][::-1]
        if not stopped:
            after = f" after {self.last_layer()}" if self.calls else ""
            return f"model: an image of {times(image)} cannot pass the model{after}: {reason}"
        call = stopped[0]
        return (
            f"model: an image of {times(image)} cannot pass {call.name}"
            f" ({type(call.layer).__name__}), where {times(call.input_shape)} arrives:"
            f" {shape_mismatch(call.layer, call.input_shape) or reason}"
        )


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors among the inputs or outputs of a module, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(each)


def _version(tensor: Tensor) -> int:
    """PyTorch's count of changes in place, which a tensor shares with its views."""
    return 0 if tensor.is_inference() else tensor._version


def _share_storage(a: Tensor, b: Tensor) -> bool:
    if a.layout != torch.strided or b.layout != torch.strided or not a.numel():
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def shape_of(value: object) -> Shape:
    """Shape without the batch, of a tensor or of the first of several."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, tuple | list) and value:
        return shape_of(value[0])
    return ()
