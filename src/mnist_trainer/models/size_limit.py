"""A limit on what the building of a network may allocate, for settings that somebody else wrote."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

FACTORIES = {
    torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye,
    torch.arange, torch.linspace, torch.nn.functional.pad,
}  # fmt: skip
SMALL = 1_000_000
"""Tensors of so few numbers are not counted."""


class SizeLimit(TorchFunctionMode):
    """Refuse to make large tensors of more numbers in all than are allowed; a context manager.

    Raises:
        ValueError: within it, before the memory is allocated.
    """

    def __init__(self, max_numbers: int) -> None:
        super().__init__()
        self.max_numbers = self.left = max_numbers

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in FACTORIES:
            with torch.device("meta"):
                wanted = _size(func, args, kwargs or {})
            self.left -= wanted if wanted > SMALL else 0
            if self.left < 0:
                raise ValueError(
                    f"it would take a tensor of {wanted:,} numbers, and {self.max_numbers:,} in all"
                    " are enough for its weights"
                )
        return func(*args, **(kwargs or {}))


def _size(func: Any, args: Any, kwargs: Mapping[str, Any]) -> int:
    """Numbers of the tensor that a call makes; it is made on the meta device, which stores none."""
    placed = [arg.to("meta") if isinstance(arg, torch.Tensor) else arg for arg in args]
    own = {} if func is torch.nn.functional.pad else {"device": "meta"}
    return int(func(*placed, **{**kwargs, **own}).numel())
