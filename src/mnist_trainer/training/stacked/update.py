"""The updates of SGD, Adam and AdamW for a stack, each member with its own learning rate, weight
decay and momentum.

The states lie in the members' own optimizers, as views, so that a checkpoint finds them there.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer

from mnist_trainer.training.stacked.tensors import per_member, stack


class StackedUpdate(Protocol):
    """Updates stacked weights in place."""

    def step(self, gradients: Sequence[Tensor]) -> None:
        """Args:
        gradients: of the weights, in their order, (M, ...) each.
        """
        ...


class MemberOptions:
    """An option of the members' optimizers as a tensor, read anew for each update: a schedule may
    have changed it."""

    def __init__(self, optimizers: Sequence[Optimizer], name: str, like: Tensor) -> None:
        self.groups = [optimizer.param_groups[0] for optimizer in optimizers]
        self.name = name
        self.like = like
        self.values: list[float] = []
        self.tensor = torch.empty(0)

    def read(self) -> Tensor:
        """(M,)"""
        values = [group[self.name] for group in self.groups]
        if values != self.values:
            self.values = values
            self.tensor = torch.tensor(values, dtype=self.like.dtype, device=self.like.device)
        return self.tensor


def stack_state(
    optimizers: Sequence[Optimizer], index: int, name: str, like: Tensor
) -> tuple[Tensor, bool]:
    """Stack a state of one parameter, and let the optimizers' own be views of the result.

    Args:
        index: of the parameter.
        name: of the state, such as ``exp_avg``.
        like: what it looks like for all members; zeros where there is none yet.

    Returns:
        The state (M, ...), and whether it was there.
    """
    states = [each.state[each.param_groups[0]["params"][index]] for each in optimizers]
    exists = all(name in state for state in states)
    together = stack([state[name] for state in states] if exists else list(torch.zeros_like(like)))
    for state, part in zip(states, together, strict=True):
        state[name] = part
    return together, exists


class StackedSGD:
    """``torch.optim.SGD``: as its documentation has the algorithm."""

    def __init__(self, optimizers: Sequence[Optimizer], weights: Sequence[Tensor]) -> None:
        group = optimizers[0].param_groups[0]
        self.weights = weights
        self.dampening, self.nesterov = group["dampening"], group["nesterov"]
        self.lr, self.decay, self.momentum = (
            MemberOptions(optimizers, name, weights[0])
            for name in ("lr", "weight_decay", "momentum")
        )
        self.buffers, self.has_begun = [], True
        if group["momentum"]:
            for index, weight in enumerate(weights):
                buffer, self.has_begun = stack_state(optimizers, index, "momentum_buffer", weight)
                self.buffers.append(buffer)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        lr, decay = self.lr.read(), self.decay.read()
        for index, (weight, gradient) in enumerate(zip(self.weights, gradients, strict=True)):
            direction = torch.addcmul(gradient, per_member(decay, weight), weight)
            if self.buffers:
                direction = self._with_momentum(self.buffers[index], direction)
            weight.addcmul_(per_member(-lr, weight), direction)
        self.has_begun = True

    def _with_momentum(self, buffer: Tensor, direction: Tensor) -> Tensor:
        momentum = per_member(self.momentum.read(), buffer)
        if self.has_begun:
            buffer.mul_(momentum).add_(direction, alpha=1 - self.dampening)
        else:
            buffer.copy_(direction)
        return torch.addcmul(direction, momentum, buffer) if self.nesterov else buffer


class StackedAdam:
    """Adam (Kingma and Ba 2015, alg. 1), or AdamW, whose weight decay is no part of the gradient
    (Loshchilov and Hutter 2019, alg. 2)."""

    def __init__(self, optimizers: Sequence[Optimizer], weights: Sequence[Tensor]) -> None:
        group = optimizers[0].param_groups[0]
        self.weights = weights
        self.betas, self.eps, self.amsgrad = group["betas"], group["eps"], group["amsgrad"]
        self.decoupled = isinstance(optimizers[0], torch.optim.AdamW)
        self.lr, self.decay = (
            MemberOptions(optimizers, name, weights[0]) for name in ("lr", "weight_decay")
        )
        names = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if self.amsgrad else []))
        self.moments = [
            [stack_state(optimizers, index, name, weight)[0] for name in names]
            for index, weight in enumerate(weights)
        ]
        # PyTorch's fused optimizers count their steps in float32, for each parameter.
        count = torch.zeros(len(optimizers), dtype=torch.float32, device=weights[0].device)
        self.counts = [
            stack_state(optimizers, index, "step", count)[0] for index in range(len(weights))
        ]
        self.num_steps = int(self.counts[0][0])

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor]) -> None:
        lr, decay = self.lr.read(), self.decay.read()
        self.num_steps += 1
        first, second = (1 - beta**self.num_steps for beta in self.betas)
        for index, (weight, gradient) in enumerate(zip(self.weights, gradients, strict=True)):
            self.counts[index].add_(1)
            rate, shrink = per_member(lr, weight), per_member(decay, weight)
            if self.decoupled:
                weight.mul_(1 - rate * shrink)
            else:
                gradient = torch.addcmul(gradient, shrink, weight)
            mean, square, *largest = self.moments[index]
            mean.lerp_(gradient, 1 - self.betas[0])
            square.mul_(self.betas[1]).addcmul_(gradient, gradient, value=1 - self.betas[1])
            for each in largest:
                torch.maximum(each, square, out=each)
            deviation = ((largest or [square])[0] / second).sqrt_().add_(self.eps)
            weight.addcmul_(rate / -first, mean / deviation)


def make_update(optimizers: Sequence[Optimizer], weights: Sequence[Tensor]) -> StackedUpdate:
    """The update of these optimizers, which are of one class, as one.

    Args:
        weights: stacked, in the order of each optimizer's parameters.
    """
    kind = StackedSGD if isinstance(optimizers[0], SGD) else StackedAdam
    return kind(optimizers, weights)
