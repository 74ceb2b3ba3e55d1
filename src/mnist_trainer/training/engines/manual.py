"""The engines without automatic differentiation: the formulas of ``backpropagation``, on tensors or
in NumPy.

What they compute is the forward pass, the loss and the gradients. The gradients are left where
autograd would leave them, in the parameters' ``grad``, so whatever comes after them is the same for
every engine: clipping, the optimizer, schedules, averages, checkpoints. The masks of dropout come
from PyTorch's generator, so that every engine drops the same units.
"""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.models.formulas.losses import one_hot
from mnist_trainer.models.formulas.namespace import Array, Namespace
from mnist_trainer.training.engines.backpropagation import Layer, backward, forward
from mnist_trainer.training.engines.derivable import dense_layers, loss_formula


@dataclass(frozen=True)
class Arrays:
    """A namespace of arrays, with the ways from tensors into it and back; both share the memory."""

    xp: Namespace
    from_tensor: Callable[[Tensor], Array]
    to_tensor: Callable[[Array], Tensor]
    ignore_overflow: Callable[[], AbstractContextManager[object]]
    """A context in which numbers that overflow make no noise: the caller looks whether all are
    finite."""


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _numpy_view(tensor: Tensor) -> Array:
    return tensor.detach().numpy()


TENSORS = Arrays(torch, torch.Tensor.detach, _same, contextlib.nullcontext)
NUMPY = Arrays(np, _numpy_view, torch.as_tensor, partial(np.errstate, all="ignore"))


class ManualEngine:
    """Gradients of a fully connected network by the formulas, in either namespace."""

    def __init__(self, arrays: Arrays, model: nn.Module, criterion: nn.Module) -> None:
        """Args:
        model: its layers are looked at through views of its own memory, so that they follow every
        update.

        Raises:
            ConfigError: there is no formula for the model or the loss.
        """
        self.arrays = arrays
        self.loss = loss_formula(criterion)
        self.parameters: list[tuple[Tensor, Tensor | None]] = []
        self.layers: list[Layer] = []
        for dense in dense_layers(model):
            weight, bias = dense.linear.weight, dense.linear.bias
            self.parameters.append((weight, bias))
            self.layers.append(
                Layer(
                    W=arrays.from_tensor(weight),
                    b=None if bias is None else arrays.from_tensor(bias),
                    f=dense.f,
                    dropout=dense.dropout,
                )
            )

    def backpropagate(
        self, images: Tensor, labels: Tensor, loss_weight: float
    ) -> tuple[Tensor, Tensor]:
        """See ``step.Engine``."""
        xp, arrays = self.arrays.xp, self.arrays
        x = arrays.from_tensor(images.flatten(1))  # (N, in)
        t = arrays.from_tensor(labels)  # (N,)
        with arrays.ignore_overflow():
            logits, caches = forward(xp, self.layers, x, partial(self._draw_mask, images))  # (N, C)
            y = one_hot(xp, t, logits)  # (N, C)
            loss = self.loss.value(xp, logits, y) * loss_weight
            dL_da = self.loss.gradient(xp, logits, y) * loss_weight  # (N, C)
            gradients = backward(xp, self.layers, caches, dL_da)
        for (weight, bias), gradient in zip(self.parameters, gradients, strict=True):
            self._leave(weight, gradient.dW)
            self._leave(bias, gradient.db)
        return arrays.to_tensor(loss), arrays.to_tensor(logits)

    def _draw_mask(self, like: Tensor, shape: tuple[int, int], p: float) -> Array:
        ones = torch.ones(shape, dtype=like.dtype, device=like.device)
        return self.arrays.from_tensor(F.dropout(ones, p))

    def _leave(self, parameter: Tensor | None, gradient: Array) -> None:
        """Add a gradient to what the parameter holds."""
        if parameter is None or not parameter.requires_grad:
            return
        new = self.arrays.to_tensor(gradient)
        parameter.grad = new if parameter.grad is None else parameter.grad.add_(new)
