"""Activations a = f(z) and their derivatives f'(z), elementwise.

Notation as in Goodfellow, Bengio and Courville 2016, "Deep Learning", sections 3.10 and 6.3: z is
the pre-activation, a the activation, σ the sigmoid, Φ and φ are the distribution and density of the
standard normal. At a kink the derivative is that from the left, as in PyTorch. No formula overflows
for large z.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from mnist_trainer.models.formulas.namespace import Array, Namespace

Formula = Callable[[Namespace, Array], Array]

LEAK = 0.01
"""Slope of the leaky ReLU below zero."""


@dataclass(frozen=True)
class Activation:
    """An activation and its derivative: functions of a namespace and z, to an array like z."""

    value: Formula
    derivative: Formula


def identity(xp: Namespace, z: Array) -> Array:
    """f(z) = z: no activation."""
    return z


def identity_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1"""
    return xp.ones_like(z)


def sigmoid(xp: Namespace, z: Array) -> Array:
    """σ(z) = 1 / (1 + e^−z), for z < 0 as e^z / (1 + e^z) (Goodfellow et al. 2016, eq. 3.30)."""
    e = xp.exp(-xp.abs(z))
    return xp.where(z < 0, e, xp.ones_like(z)) / (1 + e)


def sigmoid_derivative(xp: Namespace, z: Array) -> Array:
    """σ'(z) = σ(z) (1 − σ(z)) (Goodfellow et al. 2016, eq. 3.34), where 1 − σ(z) = σ(−z)."""
    return sigmoid(xp, z) * sigmoid(xp, -z)


def tanh(xp: Namespace, z: Array) -> Array:
    """tanh z = (e^z − e^−z) / (e^z + e^−z) = 2 σ(2z) − 1 (Goodfellow et al. 2016, 6.3.2)."""
    return xp.tanh(z)


def tanh_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 − tanh² z, as 1 / cosh² z, which is exact where tanh z is nearly 1."""
    return sech(xp, z) ** 2


def relu(xp: Namespace, z: Array) -> Array:
    """f(z) = max(z, 0) (Nair and Hinton 2010)."""
    # Written so that NaN stays NaN.
    return xp.where(z <= 0, xp.zeros_like(z), z)


def relu_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 where z > 0, else 0"""
    return xp.where(z <= 0, xp.zeros_like(z), xp.ones_like(z))


def leaky_relu(xp: Namespace, z: Array) -> Array:
    """f(z) = z where z > 0, else z / 100 (Maas, Hannun and Ng 2013)."""
    return xp.where(z > 0, z, LEAK * z)


def leaky_relu_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 where z > 0, else 1 / 100"""
    return xp.where(z > 0, xp.ones_like(z), LEAK * xp.ones_like(z))


def gelu(xp: Namespace, z: Array) -> Array:
    """f(z) = z Φ(z) (Hendrycks and Gimpel 2016, section 2), without their tanh approximation."""
    return z * normal_distribution(xp, z)


def gelu_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = Φ(z) + z φ(z), where φ(z) = e^(−z²/2) / √(2π) is the derivative of Φ."""
    density = bell(xp, z / math.sqrt(2)) / math.sqrt(2 * math.pi)
    return normal_distribution(xp, z) + z * density


def silu(xp: Namespace, z: Array) -> Array:
    """f(z) = z σ(z) (Elfwing, Uchibe and Doya 2018), also called swish."""
    return z * sigmoid(xp, z)


def silu_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = σ(z) (1 + z (1 − σ(z))) (Elfwing et al. 2018)."""
    return sigmoid(xp, z) * (1 + z * sigmoid(xp, -z))


def softplus(xp: Namespace, z: Array) -> Array:
    """f(z) = ln(1 + e^z) = max(z, 0) + ln(1 + e^−|z|) (Goodfellow et al. 2016, eq. 3.31)."""
    return relu(xp, z) + xp.log1p(xp.exp(-xp.abs(z)))


def softplus_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = σ(z) (Goodfellow et al. 2016, eq. 3.37)."""
    return sigmoid(xp, z)


# The sigmoid family: all have slope 1 at 0 and limits -1 and 1; they differ in how fast they
# saturate.


def erf_sigmoid(xp: Namespace, z: Array) -> Array:
    """f(z) = erf(√π/2 · z)"""
    return erf(xp, math.sqrt(math.pi) / 2 * z)


def erf_sigmoid_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = e^(−π/4 · z²), because erf'(x) = 2/√π · e^(−x²)."""
    return bell(xp, math.sqrt(math.pi) / 2 * z)


def algebraic(xp: Namespace, z: Array) -> Array:
    """f(z) = z / √(1 + z²)"""
    return z / hypotenuse(xp, z)


def algebraic_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = (1 + z²)^(−3/2)"""
    return (1 / hypotenuse(xp, z)) ** 3


def softsign(xp: Namespace, z: Array) -> Array:
    """f(z) = z / (1 + |z|) (Glorot and Bengio 2010)."""
    return z / (1 + xp.abs(z))


def softsign_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 / (1 + |z|)²"""
    return (1 / (1 + xp.abs(z))) ** 2


def arctan(xp: Namespace, z: Array) -> Array:
    """f(z) = 2/π · arctan(π/2 · z)"""
    return 2 / math.pi * xp.arctan(math.pi / 2 * z)


def arctan_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 / (1 + (π/2 · z)²)"""
    return (1 / hypotenuse(xp, math.pi / 2 * z)) ** 2


def gudermannian(xp: Namespace, z: Array) -> Array:
    """f(z) = 2/π · gd(π/2 · z), where gd(x) = ∫₀ˣ dt / cosh t = 2 arctan(tanh(x/2)) (Abramowitz and
    Stegun 1964, 4.3.117)."""
    return 4 / math.pi * xp.arctan(xp.tanh(math.pi / 4 * z))


def gudermannian_derivative(xp: Namespace, z: Array) -> Array:
    """f'(z) = 1 / cosh(π/2 · z)"""
    return sech(xp, math.pi / 2 * z)


def sech(xp: Namespace, x: Array) -> Array:
    """1 / cosh x = 2 e^−|x| / (1 + e^−2|x|)"""
    e = xp.exp(-xp.abs(x))
    return 2 * e / (1 + e**2)


def hypotenuse(xp: Namespace, x: Array) -> Array:
    """√(1 + x²), as m √((1/m)² + (x/m)²) with m = max(1, |x|), so that nothing large is squared.

    Both libraries have a ``hypot`` of their own, but ONNX has none.
    """
    m = xp.clip(xp.abs(x), 1.0, None)
    return m * xp.sqrt((1 / m) ** 2 + (x / m) ** 2)


def bell(xp: Namespace, x: Array) -> Array:
    """e^(−x²), which is 0 in any precision long before |x| = 40."""
    return xp.exp(-(xp.clip(x, -40.0, 40.0) ** 2))


def normal_distribution(xp: Namespace, z: Array) -> Array:
    """Φ(z) = (1 + erf(z / √2)) / 2, the probability of a standard normal below z (Abramowitz and
    Stegun 1964, 26.2.29)."""
    return (1 + erf(xp, z / math.sqrt(2))) / 2


def erf(xp: Namespace, x: Array) -> Array:
    """erf(x) = 2/√π · ∫₀ˣ e^(−t²) dt (Abramowitz and Stegun 1964, 7.1.1).

    NumPy has no erf: there Python's ``math.erf`` is applied to each number, which is accurate to
    the last bits and needs no further package. It takes 0.07 microseconds a number, ten times as
    long as a rational approximation, whose error of 1e-7 would hide what a gradient check looks
    for.
    """
    if hasattr(xp, "erf"):
        return xp.erf(x)
    return xp.asarray(xp.frompyfunc(math.erf, 1, 1)(x), dtype=x.dtype)


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(identity, identity_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "leaky_relu": Activation(leaky_relu, leaky_relu_derivative),
    "gelu": Activation(gelu, gelu_derivative),
    "silu": Activation(silu, silu_derivative),
    "softplus": Activation(softplus, softplus_derivative),
    "erf": Activation(erf_sigmoid, erf_sigmoid_derivative),
    "algebraic": Activation(algebraic, algebraic_derivative),
    "softsign": Activation(softsign, softsign_derivative),
    "arctan": Activation(arctan, arctan_derivative),
    "gd": Activation(gudermannian, gudermannian_derivative),
}
"""Every activation by the name that ``model.activation`` takes."""
