"""Activation functions by name, as modules."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.formulas import activations as formulas
from mnist_trainer.models.formulas.activations import Activation


class _FormulaModule(nn.Module):
    """An activation that PyTorch has no module for."""

    formula: Activation

    def forward(self, z: Tensor) -> Tensor:
        """z of any shape to f(z)."""
        a: Tensor = self.formula.value(torch, z)
        return a


class Erf(_FormulaModule):
    """erf(√π/2 · z)"""

    formula = formulas.ACTIVATIONS["erf"]


class Algebraic(_FormulaModule):
    """z / √(1 + z²)"""

    formula = formulas.ACTIVATIONS["algebraic"]


class Arctan(_FormulaModule):
    """2/π · arctan(π/2 · z)"""

    formula = formulas.ACTIVATIONS["arctan"]


class Gudermannian(_FormulaModule):
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
"""Activations with f(z) ≤ f(z') for z ≤ z', up to rounding."""


def activation(name: str) -> nn.Module:
    """Build the activation of a name.

    Raises:
        ConfigError: the name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"activation={name}: valid are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def formula_of(module: nn.Module) -> Activation | None:
    """The formula of a module; None if it is no activation of this table with default options."""
    for name, make in ACTIVATIONS.items():
        ours = make()
        # The repr has the options: a LeakyReLU of another slope is another function.
        if type(ours) is type(module) and repr(ours) == repr(module):
            return formulas.ACTIVATIONS[name]
    return None
