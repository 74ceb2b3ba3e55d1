"""Optimizers without PyTorch's compiler: it takes 0.8 times the time of ``import torch``."""

import sys
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer


def skip_dynamo_import(optimizer: type[Optimizer]) -> None:
    """Let an optimizer be made and stepped without loading PyTorch's compiler, which takes as long
    as all the rest of torch.

    Nothing here is compiled, yet an optimizer loads the compiler to tell it so: four methods of
    ``Optimizer`` when they are first called, which remember in an attribute what to call from then
    on, and the wrapper of ``step`` that switches gradients off. The attribute is given the method
    itself, and ``step`` a wrapper that only switches gradients off. Where PyTorch is made otherwise
    nothing happens, but that the start takes longer.
    """
    if "torch._dynamo" in sys.modules:
        return
    for method in vars(Optimizer).values():
        plain = getattr(method, "__wrapped__", None)
        if plain is not None and _source(method) == "_compile.py":
            plain.__dynamo_disable = plain
    owner: Any = next((kind for kind in optimizer.__mro__ if "step" in vars(kind)), Optimizer)
    plain = getattr(owner.step, "__wrapped__", None)
    if (
        plain is not None
        and _source(owner.step) == "optimizer.py"
        and owner.step.__code__.co_name == "_use_grad"
    ):
        owner.step = torch.no_grad()(plain)


def _source(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return Path(code.co_filename).name if code else ""
