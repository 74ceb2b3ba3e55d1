"""The activation functions that every model knows by name, as modules."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.formulas import activations as formulas
from mnist_trainer.models.formulas.activations import Activation


class _OfFormula(nn.Module):
    """A module for a formula that PyTorch has no module for."""

    formula: Activation

    def forward(self, z: Tensor) -> Tensor:
        """z of any shape to f(z)."""
        a: Tensor = self.formula.value(torch, z)
        return a


class Erf(_OfFormula):
    """erf(√π/2 · z)"""

    formula = formulas.ACTIVATIONS["erf"]


class Algebraic(_OfFormula):
    """z / √(1 + z²)"""

    formula = formulas.ACTIVATIONS["algebraic"]


class Arctan(_OfFormula):
    """2/π · arctan(π/2 · z)"""

    formula = formulas.ACTIVATIONS["arctan"]


class Gudermannian(_OfFormula):
    """2/π · gd(π/2 · z)"""

    formula = formulas.ACTIVATIONS["gd"]


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "erf": Erf,
    "algebraic": Algebraic,
    "softsign": nn.Softsign,
    "arctan": Arctan,
    "gd": Gudermannian,
}

MONOTONIC = frozenset(ACTIVATIONS) - {"gelu", "silu"}
"""Those for which z ≤ z' means f(z) ≤ f(z'), but for what rounding does to them."""


def activation(name: str) -> nn.Module:
    """A new module of the named activation.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"activation={name}: valid are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def formula_of(module: nn.Module) -> Activation | None:
    """The formula that a module computes; None where it is no activation, or one with other options
    than ours."""
    for name, make in ACTIVATIONS.items():
        ours = make()
        # What a module prints names its options: a LeakyReLU of another slope is another function.
        if type(ours) is type(module) and repr(ours) == repr(module):
            return formulas.ACTIVATIONS[name]
    return None
