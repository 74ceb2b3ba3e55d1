"""A stand-in for CUDA graphs that works on any device, and is as literal as they are.

It records each operator with the very tensors that it was given, takes back what the recording
changed, and replays by calling the operators again in the same order. So what Python decides while
recording is decided for good, numbers of the host are frozen, and a look at a value on the device
is an error: as in a graph of CUDA's.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mnist_trainer.compute.device import Device
from mnist_trainer.training.state import MovingAverage
from mnist_trainer.training.step import StepOutput


class PretendCuda(Device):
    """A CPU that lets the step believe that looking at a value would wait."""

    @property
    def type(self) -> str:
        return "cuda"


class OperatorGraph:
    """Takes the place of ``cuda_graph.CudaGraph``."""

    def __init__(self, problem: str | None = None, average: MovingAverage | None = None) -> None:
        """Args:
        problem: what warm-up reports.
        average: its number of updates is on the host, so a step may look at it.
        """
        self.problem = problem
        self.recording = _Recording(set() if average is None else {average.n_averaged.data_ptr()})
        self.replays = 0

    def warm_up(self, work: Callable[[], StepOutput]) -> tuple[StepOutput, str | None]:
        return work(), self.problem

    def capture(self, work: Callable[[], StepOutput]) -> StepOutput:
        random = torch.get_rng_state()
        try:
            with self.recording:
                return work()
        finally:
            torch.set_rng_state(random)
            self.recording.take_back()

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for function, args, kwargs, outputs in self.recording.calls:
                again = tree_leaves(function(*args, **kwargs))
                for old, new in zip(outputs, again, strict=True):
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.detach().copy_(new)


class _Recording(TorchDispatchMode):
    def __init__(self, on_host: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.on_host = on_host
        self.calls: list[tuple[Any, Any, Any, list[Any]]] = []
        self.made: set[int] = set()
        self.former: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default:
            if args[0].data_ptr() in self.on_host:
                return func(*args)
            raise RuntimeError("operation not permitted when stream is capturing")
        for tensor in written(func, args, kwargs):
            storage = tensor.untyped_storage().data_ptr()
            if storage not in self.made and id(tensor) not in self.former:
                self.former[id(tensor)] = (tensor, tensor.detach().clone())
        outputs = func(*args, **kwargs)
        leaves = tree_leaves(outputs)
        if not func.is_view:
            before = {
                each.untyped_storage().data_ptr()
                for each in tree_leaves((args, kwargs))
                if isinstance(each, Tensor)
            }
            new = {each.untyped_storage().data_ptr() for each in leaves if isinstance(each, Tensor)}
            self.made |= new - before
        self.calls.append((func, args, kwargs, leaves))
        return outputs

    def take_back(self) -> None:
        with torch.no_grad():
            for tensor, value in self.former.values():
                tensor.detach().copy_(value)


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors that a call writes to, by the operator's schema; of batch normalisation that one
    does not tell."""
    if func is torch.ops.aten.native_batch_norm.default:
        return [args[3], args[4]]
    places = [
        kwargs.get(argument.name, args[index] if index < len(args) else None)
        for index, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]
    return [tensor for tensor in tree_leaves(places) if isinstance(tensor, Tensor)]
