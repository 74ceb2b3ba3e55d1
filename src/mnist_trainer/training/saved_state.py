"""Compare the saved state of a run with what this run would save: the same parts, types, shapes.

PyTorch's own ``load_state_dict`` takes a list where a learning rate belongs, or a buffer of another
shape; the mistake shows in the first update, or never.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.runs.record_layout import is_count, is_number
from mnist_trainer.training.state import TrainingState

KINDS = ((bool, "true or false"), (int, "a whole number from 0"), (float, "a finite number"))


def misfit(state: TrainingState, saved: Mapping[str, Any], steps_per_epoch: int) -> str | None:
    """What of a checkpoint cannot be the state of this run; None where all can.

    Args:
        state: of the run, before anything is loaded into it.
    """
    expected = state.state_dict() | {"optimizer": _optimizer_after_an_update(state)}
    for part in ("progress", "random", "selection"):
        del expected[part]  # Checked where the file is read.
    if saved["progress"]["batch"] >= steps_per_epoch:
        return (
            f"progress.batch is {saved['progress']['batch']:,} of {steps_per_epoch:,} in an epoch"
        )
    return next(_differences(saved, expected, ""), None)


def _optimizer_after_an_update(state: TrainingState) -> dict[str, Any]:
    """The state of a copy of the optimizer after an update with gradients of zero."""
    _, optimizer = copy.deepcopy((state.model, state.optimizer))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    # Not the method of the instance, which a schedule has bound to the optimizer itself.
    type(optimizer).step(optimizer)
    return optimizer.state_dict()


def _differences(saved: Any, expected: Any, name: str) -> Iterator[str]:
    """Each value that is not of the type or shape that it should be."""
    if isinstance(expected, dict):
        yield from _different_parts(saved, expected, name)
    elif isinstance(expected, list | tuple):
        if not isinstance(saved, list | tuple) or len(saved) != len(expected):
            yield f"{name} is not a list of {len(expected):,} values"
            return
        for index, (then, now) in enumerate(zip(saved, expected, strict=True)):
            yield from _differences(then, now, f"{name}.{index}")
    elif isinstance(expected, Tensor) and isinstance(saved, Tensor):
        if (saved.shape, saved.dtype) != (expected.shape, expected.dtype):
            yield f"{name} is {_described(saved)}, and should be {_described(expected)}"
    elif not _is_alike(saved, expected, name):
        kind = next((text for kind, text in KINDS if type(expected) is kind), "of another type")
        yield f"{name} must be {kind}"


def _different_parts(saved: Any, expected: dict[Any, Any], name: str) -> Iterator[str]:
    if not isinstance(saved, dict):
        yield f"{name or 'it'} is not a mapping"
        return
    for key, now in expected.items():
        path = f"{name}.{key}" if name else str(key)
        if key in saved:
            yield from _differences(saved[key], now, path)
        # Versions of PyTorch add options that are off; an optimizer has no state before it moves.
        elif not (now is None or isinstance(now, bool) or name == "optimizer.state"):
            yield f"{path} is missing"


def _is_alike(saved: Any, expected: Any, name: str) -> bool:
    """Whether a value is of the type that it should be."""
    if saved is None or expected is None:
        # Options and buffers of an optimizer that it does not use.
        return name.startswith(("optimizer.", "scheduler."))
    if isinstance(expected, bool):
        return isinstance(saved, bool)
    if isinstance(expected, int):
        return is_count(saved)
    if isinstance(expected, float | Tensor):
        # Learning rates and counts of steps are tensors on some devices, and numbers on others.
        return is_number(saved) or (isinstance(saved, Tensor) and saved.dim() == 0)
    return type(saved) is type(expected)


def _described(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "a single number"
    return f"{shape} of {str(tensor.dtype).removeprefix('torch.')}"
