"""Tensors of several runs as one, so that one operation computes for all of them.

Each run keeps its own model and optimizer; their tensors become views of the stacked ones. So
whatever evaluates, saves or hashes a run finds it as if it were trained alone, and nothing has to
be copied back.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def stack(tensors: Sequence[Tensor]) -> Tensor:
    """Copy M dense tensors of one shape into one, (M, ...), in which each lies as it did before."""
    first = tensors[0]
    stacked = torch.empty_strided(
        (len(tensors), *first.shape),
        (first.numel(), *first.stride()),
        dtype=first.dtype,
        device=first.device,
    )
    for part, tensor in zip(stacked, tensors, strict=True):
        part.copy_(tensor.detach())
    return stacked


def stack_parameters(models: Sequence[nn.Module]) -> list[Tensor]:
    """Stack the parameters of M models of one architecture, in their order, and let the models'
    own be views of the result."""
    stacked = []
    for parameters in zip(*(model.parameters() for model in models), strict=True):
        together = stack(parameters)
        for parameter, part in zip(parameters, together, strict=True):
            parameter.data = part
            parameter.grad = None
        stacked.append(together)
    return stacked


def per_member(values: Tensor, like: Tensor) -> Tensor:
    """Numbers of the members (M,), shaped to be broadcast over a stacked tensor (M, ...)."""
    return values.view(-1, *[1] * (like.ndim - 1))
