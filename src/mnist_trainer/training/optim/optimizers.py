"""Optimizers beyond PyTorch's own: Muon for hidden matrices, AdamW for the rest."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# The quintic polynomial of Jordan et al., Muon: an optimizer for hidden layers in neural networks
# (2024): as steep at zero as can be, so that five rounds bring every singular value near one.
QUINTIC = (3.4445, -4.7750, 2.0315)


class Muon(Optimizer):
    """Momentum whose matrices are orthogonalized before they are applied (Jordan et al. 2024).

    ``torch.optim.Muon`` takes matrices only, and a network has more than those. Here one optimizer
    serves a whole network: every weight of a hidden layer is seen as a matrix (out, everything
    else), so that filters of convolutions count as well; biases, what batch normalisation learns,
    and the output layer (the last of the weights) are AdamW's. An update of a matrix is scaled to
    the size that AdamW's have, by 0.2 sqrt(max(rows, columns)) (Liu et al., Muon is scalable for
    LLM training, 2025, eq. 4), so that one learning rate and one schedule suit both.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.01,
        rounds: int = 5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """Args:
        params: of the network, in its order.
        momentum: of the matrices.
        rounds: of the Newton-Schulz iteration.
        betas: AdamW's, for all that is no hidden matrix.
        eps: AdamW's.

        Raises:
            ValueError: a number is out of its range.
        """
        for name, value, fits in (
            ("lr", lr, lr >= 0),
            ("momentum", momentum, 0 <= momentum < 1),
            ("weight_decay", weight_decay, weight_decay >= 0),
            ("rounds", rounds, rounds >= 1),
            ("betas", betas, len(betas) == 2 and all(0 <= beta < 1 for beta in betas)),
            ("eps", eps, eps > 0),
        ):
            if not fits:
                raise ValueError(f"{name}={value} is out of range")
        shared = {"lr": lr, "weight_decay": weight_decay}
        matrices, others = split_hidden_weights(list(params))
        muon = {"orthogonal": True, "momentum": momentum, "nesterov": nesterov, "rounds": rounds}
        adamw = {"orthogonal": False, "betas": tuple(betas), "eps": eps}
        groups: list[dict[str, Any]] = [
            {"params": matrices, **muon},
            {"params": others, **adamw},
        ]
        super().__init__([{**group, **shared} for group in groups if group["params"]], {})

    @torch.no_grad()
    def step(  # type: ignore[override]
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = self._update_matrix if group["orthogonal"] else self._update_other
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update(parameter, parameter.grad, group)
        return loss

    def _update_matrix(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        direction = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
        matrix = direction.flatten(1)  # (rows, columns)
        size = 0.2 * math.sqrt(max(matrix.shape))
        step = orthogonalized(matrix, group["rounds"]).reshape(parameter.shape)
        parameter.add_(step.to(parameter.dtype), alpha=-group["lr"] * size)

    def _update_other(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        """AdamW (Loshchilov and Hutter, Decoupled weight decay regularization, 2019, alg. 2)."""
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"], state["exp_avg_sq"] = (
                torch.zeros_like(gradient),
                torch.zeros_like(gradient),
            )
        state["step"] += 1
        beta1, beta2 = group["betas"]
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        deviation = square.sqrt().div_(math.sqrt(1 - beta2 ** state["step"])).add_(group["eps"])
        parameter.addcdiv_(mean, deviation, value=-group["lr"] / (1 - beta1 ** state["step"]))


def split_hidden_weights(
    parameters: list[nn.Parameter],
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split parameters into the weights of hidden layers, and all others: vectors, and the last of
    the weights, which is the output layer's."""
    weights = [parameter for parameter in parameters if parameter.ndim >= 2]
    hidden = {id(weight) for weight in weights[:-1]}
    matrices = [parameter for parameter in parameters if id(parameter) in hidden]
    others = [parameter for parameter in parameters if id(parameter) not in hidden]
    return matrices, others


def orthogonalized(matrix: Tensor, rounds: int) -> Tensor:
    """U V^T for a matrix U S V^T (rows, columns), roughly: its singular values come to lie between
    0.7 and 1.2.

    In float32, because these matrices are small: bfloat16 gains nothing here, and is slow on CPUs
    that do not compute in it.
    """
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.float().T if tall else matrix.float()
    x = x / x.norm().clamp(min=1e-7)  # The Frobenius norm is at least the largest singular value.
    for _ in range(rounds):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
