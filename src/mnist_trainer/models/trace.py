"""The way of one image through a model: which layers it passes, where each takes its input from,
what they learn."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.layer_shapes import COUNTED, Shape, shape_mismatch, times
from mnist_trainer.system.memory import is_out_of_memory

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True)
class TensorSource:
    """Where a tensor comes from that enters a layer, or that a model puts out. Shapes are without
    the batch."""

    source: str | None
    """The image, or the layer that put it out; None for one that was computed without a layer."""
    source_shape: Shape
    shape: Shape
    as_it_is: bool
    """Whether it is the very tensor, not another view of its numbers, such as a part or a flattened
    one."""
    follows: bool
    """Whether no other layer was passed since."""


@dataclass(frozen=True)
class LayerCall:
    """An image's way through one layer."""

    name: str
    layer: nn.Module
    input_shape: Shape
    """Without the batch, as are all shapes here."""
    output_shape: Shape
    origin: TensorSource | None
    """Of its first input; None where no tensor enters."""
    whole: bool
    """Whether the layers within it belong to it: it uses their numbers without calling them, as
    ``nn.MultiheadAttention``."""
    parameters: int
    """Numbers that it learns and that no layer before it counts."""


@dataclass(frozen=True)
class Remainder:
    """Parameters that a module holds itself and that no layer counts which the image passes."""

    name: str
    layer: nn.Module
    called: bool
    """Whether the image passes it: then its ``forward`` uses them beside its layers."""
    parameters: int


@dataclass(frozen=True)
class Trace:
    """An image's way through a model."""

    passages: list[LayerCall]
    """In order."""
    remainders: list[Remainder]
    output: TensorSource | None


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one for an image that passes: it has no layers within it, or its
    arithmetic is known as it is."""
    return isinstance(module, COUNTED) or (
        not list(module.children()) and not isinstance(module, CONTAINERS)
    )


def trace_image(model: nn.Module, image_shape: Shape, num_classes: int | None = None) -> Trace:
    """Send one image through a model, and note each layer that it passes.

    Args:
        num_classes: how many logits must come out; None takes what comes.

    Raises:
        ConfigError: an image cannot pass, or not one number for each class comes out; names the
            layer.
    """
    tracer = _Tracer(model)
    was_training = model.training
    parameter = next(model.parameters(), torch.zeros(()))
    image = torch.zeros((1, *image_shape), device=parameter.device, dtype=parameter.dtype)
    tracer.saw("the image", image)
    try:
        with torch.no_grad():
            output = model.eval()(image)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if is_out_of_memory(error):
            raise
        raise ConfigError(tracer.refusal(image_shape, error)) from error
    finally:
        tracer.remove_hooks()
        model.train(was_training)
    passages = tracer.passages
    if num_classes is not None and shape_of(output) != (num_classes,):
        last = (
            f"{passages[-1].name} ({type(passages[-1].layer).__name__})"
            if passages
            else type(model).__name__
        )
        raise ConfigError(
            f"model: {last} puts out {times(shape_of(output))} for an image, and the data has"
            f" {num_classes} classes: a model must put out {num_classes} numbers, one for each."
        )
    return Trace(passages, tracer.remainders(), tracer.origin(next(tensors_in(output), None)))


@dataclass(frozen=True)
class _Seen:
    """A tensor at the moment when it was put out; keeping it keeps its address from being given to
    another."""

    source: str
    tensor: Tensor
    version: int
    place: int
    """Layers passed by then."""


@dataclass(frozen=True)
class _Call:
    """A module that the image is in."""

    name: str
    module: nn.Module
    input_shape: Shape
    origin: TensorSource | None
    place: int
    """Layers passed before."""


class _Tracer:
    """Hooks on the modules of a model, and what they note."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.passages: list[LayerCall] = []
        self._seen: list[_Seen] = []
        self._inside: list[_Call] = []
        self._called: set[nn.Module] = set()
        self._counted: set[int] = set()
        self._hooks = []
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
            self._hooks += [enter, leave]

    def remove_hooks(self) -> None:
        """Leave the model as it was."""
        for hook in self._hooks:
            hook.remove()

    def saw(self, source: str, value: object) -> None:
        """Remember the tensors that a source put out."""
        for tensor in tensors_in(value):
            self._seen.append(_Seen(source, tensor, _version(tensor), len(self.passages)))

    def origin(self, tensor: Tensor | None) -> TensorSource | None:
        """Where a tensor comes from, as far as it is one that was seen, or a view of one."""
        if tensor is None:
            return None
        # A layer may put out what it got: the last one that did is where the tensor comes from.
        unchanged = [seen for seen in reversed(self._seen) if seen.version == _version(tensor)]
        found = next((seen for seen in unchanged if seen.tensor is tensor), None)
        found = found or next(
            (seen for seen in unchanged if _share_storage(seen.tensor, tensor)), None
        )
        shape = shape_of(tensor)
        if found is None:
            return TensorSource(None, (), shape, as_it_is=False, follows=False)
        follows = found.place == len(self.passages)
        return TensorSource(
            found.source,
            shape_of(found.tensor),
            shape,
            _is_same_view(found.tensor, tensor),
            follows,
        )

    def _enter(self, name: str, module: nn.Module, inputs: tuple[object, object]) -> None:
        first = next(tensors_in(inputs), None)
        self._inside.append(
            _Call(
                name,
                module,
                () if first is None else shape_of(first),
                self.origin(first),
                len(self.passages),
            )
        )

    def _leave(self, module: nn.Module, output: object) -> None:
        call = self._inside.pop()
        while call.module is not module:
            # A forward went on after an error within it.
            call = self._inside.pop()
        self._called.add(module)
        passed_none = call.place == len(self.passages) and not isinstance(module, CONTAINERS)
        if any(is_layer(outer.module) for outer in self._inside) or not (
            is_layer(module) or passed_none
        ):
            return
        whole = bool(list(module.children()))
        count = self._count(module, whole=whole)
        self.passages.append(
            LayerCall(
                call.name, module, call.input_shape, shape_of(output), call.origin, whole, count
            )
        )
        self.saw(f"the output of {call.name}", output)

    def _count(self, module: nn.Module, *, whole: bool) -> int:
        """Parameters that have not been counted yet; they are from now on."""
        new = {id(parameter): parameter.numel() for parameter in module.parameters(recurse=whole)}
        count = sum(number for key, number in new.items() if key not in self._counted)
        self._counted |= new.keys()
        return count

    def remainders(self) -> list[Remainder]:
        """The modules that hold what is in no passage."""
        counts = [
            (name, module, self._count(module, whole=False))
            for name, module in self.model.named_modules()
        ]
        return [
            Remainder(name or type(module).__name__, module, module in self._called, count)
            for name, module, count in counts
            if count
        ]

    def refusal(self, image: Shape, error: Exception) -> str:
        """Why an image cannot pass, and where it stopped."""
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        stopped = [
            call
            for call in self._inside
            if is_layer(call.module)
            or (
                call.place == len(self.passages)
                and call.module is not self.model
                and not isinstance(call.module, CONTAINERS)
            )
        ]
        if not stopped:
            last = self.passages[-1] if self.passages else None
            after = f" after {last.name} ({type(last.layer).__name__})" if last else ""
            return f"model: an image of {times(image)} cannot pass the model{after}: {reason}"
        call = next((call for call in stopped if is_layer(call.module)), stopped[-1])
        where = (
            f"{call.name} ({type(call.module).__name__}), where {times(call.input_shape)} arrives"
        )
        return (
            f"model: an image of {times(image)} cannot pass {where}:"
            f" {shape_mismatch(call.module, call.input_shape) or reason}"
        )


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors of what a module takes or puts out, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from tensors_in(each)


def _version(tensor: Tensor) -> int:
    """A number that rises when the numbers of a tensor, or of a view of it, are changed in place."""
    return 0 if tensor.is_inference() else tensor._version


def _share_storage(a: Tensor, b: Tensor) -> bool:
    if a.layout != torch.strided or b.layout != torch.strided or not a.numel():
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _is_same_view(a: Tensor, b: Tensor) -> bool:
    if a is b:
        return True
    return (a.shape, a.stride(), a.storage_offset()) == (b.shape, b.stride(), b.storage_offset())


def shape_of(value: object) -> Shape:
    """Shape of a tensor, or of the first of several, without the batch."""
    if isinstance(value, Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, tuple | list) and value:
        return shape_of(value[0])
    return ()
