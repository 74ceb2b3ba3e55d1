"""Activations and derivatives: NumPy equals PyTorch, known values, no overflow."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from mnist_trainer.models.activations import activation
from mnist_trainer.models.formulas.activations import ACTIVATIONS, erf

BOUNDED = {"sigmoid": (0, 1)} | dict.fromkeys(
    ("tanh", "erf", "algebraic", "softsign", "arctan", "gd"), (-1, 1)
)
FAMILY = ("erf", "algebraic", "softsign", "arctan", "gd")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_numpy_equals_torch_in_value_precision_and_shape(name: str) -> None:
    for dtype in (np.float32, np.float64):
        z = np.linspace(-9, 9, 360, dtype=dtype).reshape(4, 90)
        for formula in (ACTIVATIONS[name].value, ACTIVATIONS[name].derivative):
            from_numpy, from_torch = formula(np, z), formula(torch, torch.from_numpy(z)).numpy()
            assert from_numpy.dtype == from_torch.dtype == dtype
            assert from_numpy.shape == z.shape
            assert np.abs(from_numpy - from_torch).max() < (1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nothing_overflows_far_from_zero(name: str) -> None:
    z = np.array([-2e38, -1e20, -1e10, -1000, -100, 100, 1000, 1e10, 1e20, 2e38], dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a, slope = ACTIVATIONS[name].value(np, z), ACTIVATIONS[name].derivative(np, z)
    assert np.isfinite(a).all()
    assert np.isfinite(slope).all()
    if name in BOUNDED:
        assert (a[0], a[-1]) == BOUNDED[name]
        assert slope[0] == slope[-1] == 0
    else:
        assert slope[-1] == 1


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_module_equals_the_formula_forward_and_backward(name: str) -> None:
    z = torch.cat(
        [torch.linspace(-5, 5, 101, dtype=torch.float64), torch.tensor([-40.0, 0.0, 40.0])]
    ).requires_grad_()
    a = activation(name)(z)
    a.sum().backward()
    assert z.grad is not None
    # PyTorch's softplus is the identity above 20, where it differs by 2e-9.
    assert torch.allclose(a, ACTIVATIONS[name].value(torch, z), atol=1e-8, rtol=0)
    assert torch.allclose(
        z.grad, ACTIVATIONS[name].derivative(torch, z.detach()), atol=1e-8, rtol=0
    )


@pytest.mark.parametrize("name", FAMILY)
def test_sigmoid_family_is_odd_with_slope_one_at_zero(name: str) -> None:
    z = np.linspace(0, 5, 50)
    value, derivative = ACTIVATIONS[name].value, ACTIVATIONS[name].derivative
    assert np.array_equal(value(np, -z), -value(np, z))
    assert derivative(np, np.zeros(1)) == 1
    assert np.all(np.diff(value(np, z)) > 0)


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        (
            "erf",
            2 / math.sqrt(math.pi),
            0.8427007929497149,
        ),  # erf(1), Abramowitz and Stegun, table 7.1
        ("algebraic", 0.75, 0.6),  # 3, 4, 5
        ("softsign", 3.0, 0.75),
        ("arctan", 2 / math.pi, 0.5),  # arctan(1) = π/4
        ("gd", 2 / math.pi * math.asinh(1), 0.5),  # gd(x) = arctan(sinh x)
        ("sigmoid", math.log(3), 0.75),
        ("softplus", math.log(math.e - 1), 1.0),
        ("silu", math.log(3), 0.75 * math.log(3)),
        ("gelu", 1.0, 0.8413447460685429),  # Φ(1)
        ("leaky_relu", -2.0, -0.02),
    ],
)
def test_known_values(name: str, z: float, a: float) -> None:
    assert ACTIVATIONS[name].value(np, np.array([z]))[0] == pytest.approx(a, rel=1e-14)


def test_erf_is_exact_in_numpy() -> None:
    x = np.linspace(-6, 6, 97)
    assert np.abs(erf(np, x) - torch.erf(torch.from_numpy(x)).numpy()).max() < 1e-15
    assert erf(np, np.zeros((), dtype=np.float32)).dtype == np.float32


@pytest.mark.parametrize("xp", [np, torch])
def test_relu_keeps_nan(xp: Any) -> None:
    """As PyTorch's own, forward and backward."""
    nan = xp.asarray([float("nan"), -1.0, 0.0, 2.0])
    relu = ACTIVATIONS["relu"]
    assert np.array_equal(np.asarray(relu.value(xp, nan)), [np.nan, 0, 0, 2], equal_nan=True)
    assert np.asarray(relu.derivative(xp, nan)).tolist() == [1, 0, 0, 1]
