"""Check the derivative formulas: python -m mnist_trainer.gradient_check

Each is compared, in float64, with two independent results: the finite difference of the function in
NumPy, and autograd through the module that training uses.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mnist_trainer.models import activations, losses
from mnist_trainer.models.formulas import activations as activation_formulas
from mnist_trainer.models.formulas.losses import Loss, one_hot

STEP = 1e-5
"""h of the central difference (f(z + h) − f(z − h)) / 2h; its error is about h² + 1e-16 / h."""

BOUNDS = {"value": 1e-12, "finite_difference": 1e-8, "autograd": 1e-12}
"""Correct formulas stay far below these; a wrong one is off by 1e-3 or more."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """A function, its derivative formula, and the largest differences found."""

    name: str
    function: str
    derivative: str
    value: float
    """Between the values of the formula in NumPy and of the module in PyTorch."""
    finite_difference: float
    """Between the derivative formula and the central difference."""
    autograd: float
    """Between the derivative formula and autograd through the module."""

    @property
    def passes(self) -> bool:
        return all(getattr(self, name) < bound for name, bound in BOUNDS.items())


FUNCTIONS = {
    "identity": ("z", "1"),
    "sigmoid": ("σ(z) = 1 / (1 + e^−z)", "σ(z) (1 − σ(z))"),
    "tanh": ("tanh z", "1 − tanh² z"),
    "relu": ("max(z, 0)", "1 if z > 0, else 0"),
    "leaky_relu": ("max(z, z/100)", "1 if z > 0, else 1/100"),
    "gelu": ("z Φ(z)", "Φ(z) + z φ(z)"),
    "silu": ("z σ(z)", "σ(z) (1 + z (1 − σ(z)))"),
    "softplus": ("ln(1 + e^z)", "σ(z)"),
    "erf": ("erf(√π/2 · z)", "e^(−π/4 · z²)"),
    "algebraic": ("z / √(1 + z²)", "(1 + z²)^(−3/2)"),
    "softsign": ("z / (1 + abs z)", "1 / (1 + abs z)²"),
    "arctan": ("2/π · arctan(π/2 · z)", "1 / (1 + (π/2 · z)²)"),
    "gd": ("2/π · gd(π/2 · z)", "1 / cosh(π/2 · z)"),
}
"""Activation to its formula and the formula of its derivative, as text."""

CRITERIA: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "cross_entropy": (nn.CrossEntropyLoss, "−ln p_t", "p − y"),
    "cross_entropy label_smoothing=0.1": (
        lambda: nn.CrossEntropyLoss(label_smoothing=0.1),
        "−Σ t_i ln p_i, t = 0.9 y + 0.1/C",
        "p − t",
    ),
    "nll": (losses.NLL, "−ln p_t", "p − y"),
    "mse": (
        lambda: losses.MSE("softmax"),
        "Σ (p_i − y_i)²",
        "p_i (d_i − Σ_j p_j d_j), d = 2 (p − y)",
    ),
    "mse of=logits": (lambda: losses.MSE("logits"), "Σ (z_i − y_i)²", "2 (z − y)"),
    "poly epsilon=2": (lambda: losses.Poly1(2.0), "−ln p_t + ε q", "(1 + ε p_t) (p − y)"),
    "poly_n epsilons=[2,0.5,-0.1]": (
        lambda: losses.PolyN([2.0, 0.5, -0.1]),
        "−ln p_t + Σ_j ε_j q^j",
        "(1 + p_t Σ_j j ε_j q^(j−1)) (p − y)",
    ),
    "poly_series terms=16": (
        lambda: losses.PolySeries(16),
        "Σ_(j ≤ N) q^j / j",
        "(1 − q^N) (p − y)",
    ),
    "focal gamma=2": (
        lambda: losses.Focal(2.0),
        "−q^γ ln p_t",
        "q^γ (1 − γ p_t ln p_t / q) (p − y)",
    ),
    "focal gamma=0.5": (
        lambda: losses.Focal(0.5),
        "−q^γ ln p_t",
        "q^γ (1 − γ p_t ln p_t / q) (p − y)",
    ),
}
"""Loss, as typed after ``loss=``, to its module, its formula and the formula of its gradient."""


def check_activations() -> Iterator[Check]:
    """Check every activation at 1,200 points from −6 to 6, none of them at a kink."""
    z = np.linspace(-6, 6, 1200)
    for name, (function, derivative) in FUNCTIONS.items():
        formula = activation_formulas.ACTIVATIONS[name]
        stated: Array = formula.derivative(np, z)
        difference = (formula.value(np, z + STEP) - formula.value(np, z - STEP)) / (2 * STEP)
        tensor = torch.tensor(z, requires_grad=True)
        output = activations.activation(name)(tensor)
        (gradient,) = torch.autograd.grad(output.sum(), tensor)
        yield Check(
            name=name,
            function=function,
            derivative=derivative,
            value=largest(formula.value(np, z) - output.detach().numpy()),
            finite_difference=largest(stated - difference),
            autograd=largest(stated - gradient.numpy()),
        )


def check_losses() -> Iterator[Check]:
    """Check every loss on 64 images of ten classes, from confidently wrong to confidently right."""
    z, labels = example_logits()
    for name, (make, function, derivative) in CRITERIA.items():
        criterion = make()
        formula = losses.formula_of(criterion)
        if formula is None:
            raise TypeError(f"{name}: {criterion} has no formula")
        y: Array = one_hot(np, labels, z)
        # The loss is a mean over images: times their number, this is the gradient for each image.
        stated: Array = len(z) * formula.gradient(np, z, y)
        tensor = torch.tensor(z, requires_grad=True)
        loss = criterion(tensor, torch.from_numpy(labels))
        (gradient,) = torch.autograd.grad(loss, tensor)
        yield Check(
            name=name,
            function=function,
            derivative=derivative,
            value=abs(float(formula.value(np, z, y)) - loss.item()),
            finite_difference=largest(stated - finite_differences(formula, z, y)),
            autograd=largest(stated - len(z) * gradient.numpy()),
        )


def finite_differences(formula: Loss, z: Array, y: Array) -> Array:
    """Central differences of each image's loss with respect to its logits, (N, C)."""
    slopes = np.zeros_like(z)
    for image, logit in np.ndindex(*z.shape):
        step = np.zeros((1, z.shape[1]))
        step[0, logit] = STEP
        one, label = z[image : image + 1], y[image : image + 1]
        slopes[image, logit] = (
            formula.value(np, one + step, label) - formula.value(np, one - step, label)
        ) / (2 * STEP)
    return slopes


def example_logits() -> tuple[Array, NDArray[np.int64]]:
    """Fixed logits (64, 10), of growing size so that some probabilities near 0 or 1, and labels."""
    stream = np.random.default_rng(0)
    size = np.linspace(0, 6, 64)[:, None]
    return size * stream.standard_normal((64, 10)), stream.integers(0, 10, 64)


def largest(difference: Array) -> float:
    """The largest absolute value; NaN if there is one."""
    return float(np.abs(difference).max())


def table(checks: list[Check]) -> str:
    """Format checks as columns of plain text."""
    width = max(len(check.name) for check in checks)
    lines = [f"{'':<{width}}  {'value':>9}  {'finite difference':>17}  {'autograd':>9}"]
    for check in checks:
        verdict = "" if check.passes else "  WRONG"
        lines.append(
            f"{check.name:<{width}}  {check.value:>9.0e}  {check.finite_difference:>17.0e} "
            f" {check.autograd:>9.0e}{verdict}"
        )
    return "\n".join(lines)


def main() -> None:
    """Print both tables; exit status 1 if a formula is wrong."""
    groups = {"Activations": list(check_activations()), "Losses": list(check_losses())}
    print(
        "Largest differences, in float64: of the formula's value from PyTorch's module, and of the"
        " stated derivative"
    )
    print("from a finite difference and from autograd.")
    for title, checks in groups.items():
        print(f"\n{title}\n{table(checks)}")
    sys.exit(not all(check.passes for checks in groups.values() for check in checks))


if __name__ == "__main__":
    main()
