"""Losses of logits, and their gradients with respect to the logits.

Notation: z logits (N, C), y the labels as rows of zeros with a single one (N, C), p = softmax(z),
p_t the probability of the target class (N,), q = 1 − p_t. Every loss is a mean over the N images.

Most losses here are functions of the probability of the target class: L = f(p_t). By the chain
rule, with ∂p_t/∂z_i = p_t (y_i − p_i),

    ∂L/∂z = w (p − y),   where w = −p_t f'(p_t)

so each is cross entropy, where w = 1, with a weight for each image.
"""

from dataclasses import dataclass
from typing import Protocol

from mnist_trainer.models.formulas.namespace import Array, Namespace


class Loss(Protocol):
    """A loss with its gradient."""

    def value(self, xp: Namespace, z: Array, y: Array) -> Array:
        """Logits (N, C) and labels (N, C) to the mean loss, a scalar."""

    def gradient(self, xp: Namespace, z: Array, y: Array) -> Array:
        """Logits (N, C) and labels (N, C) to ∂L/∂z (N, C) of the mean loss."""


def one_hot(xp: Namespace, labels: Array, z: Array) -> Array:
    """Labels (N,) as y (N, C), of the precision (and on the device) of the logits z (N, C)."""
    classes = xp.cumsum(xp.ones_like(z), 1) - 1  # 0, 1, 2, ... in each row
    return xp.where(labels[:, None] == classes, xp.ones_like(z), xp.zeros_like(z))


def log_softmax(xp: Namespace, z: Array) -> Array:
    """ln p = z − max z − ln Σ e^(z − max z), (N, C) (Goodfellow et al. 2016, eq. 6.30; section 4.1
    on the maximum)."""
    shifted = z - xp.amax(z, 1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(1, keepdims=True))


def softmax(xp: Namespace, z: Array) -> Array:
    """p_i = e^z_i / Σ e^z_j, (N, C) (Goodfellow et al. 2016, eq. 6.29)."""
    return xp.exp(log_softmax(xp, z))


@dataclass(frozen=True)
class CrossEntropy:
    """Cross entropy with smoothed labels t = (1 − ε) y + ε / C (Szegedy et al. 2016, 7)."""

    label_smoothing: float = 0.0

    def targets(self, y: Array) -> Array:
        """t, (N, C)"""
        return (1 - self.label_smoothing) * y + self.label_smoothing / y.shape[1]

    def value(self, xp: Namespace, z: Array, y: Array) -> Array:
        """L = −Σ t_i ln p_i (Goodfellow et al. 2016, section 6.2.2.3)."""
        return -(self.targets(y) * log_softmax(xp, z)).sum() / len(z)

    def gradient(self, xp: Namespace, z: Array, y: Array) -> Array:
        """∂L/∂z = p − t; without smoothing softmax(z) − y (Nielsen 2015, chapter 3)."""
        return (softmax(xp, z) - self.targets(y)) / len(z)


@dataclass(frozen=True)
class MeanSquaredError:
    """Squared distance between y and the output: the sum over classes, the mean over images.

    Of the probabilities it is the score of Brier 1950. Of the logits it is a regression towards 0
    and 1. Nielsen 2015, eq. 6, has half of it; PyTorch's ``mse_loss`` divides by C as well, which
    learns C times as slowly at the same learning rate.
    """

    of: str = "softmax"
    """``softmax`` or ``logits``."""

    def value(self, xp: Namespace, z: Array, y: Array) -> Array:
        """L = Σ (p_i − y_i)², or Σ (z_i − y_i)²"""
        output = z if self.of == "logits" else softmax(xp, z)
        return ((output - y) ** 2).sum() / len(z)

    def gradient(self, xp: Namespace, z: Array, y: Array) -> Array:
        """With d = 2 (p − y): ∂L/∂z_i = p_i (d_i − Σ_j p_j d_j), through ∂p_j/∂z_i = p_j (δ_ij −
        p_i).

        Of the logits: ∂L/∂z = 2 (z − y).
        """
        if self.of == "logits":
            return 2 * (z - y) / len(z)
        p = softmax(xp, z)
        d = 2 * (p - y) / len(z)
        return p * (d - (p * d).sum(1, keepdims=True))


class TargetProbabilityLoss:
    """A loss L = f(p_t) of the probability of the target class.

    A subclass states f and the weight w = −p_t f'(p_t), both as functions of ln p_t, which is
    accurate where p_t is close to 0 or 1.
    """

    def each(self, xp: Namespace, log_p_t: Array) -> Array:
        """f(p_t) of each image, (N,)."""
        raise NotImplementedError

    def weight(self, xp: Namespace, log_p_t: Array) -> Array:
        """w = −p_t f'(p_t) of each image, (N,)."""
        raise NotImplementedError

    def value(self, xp: Namespace, z: Array, y: Array) -> Array:
        """L = mean of f(p_t)"""
        return self.each(xp, (y * log_softmax(xp, z)).sum(1)).sum() / len(z)

    def gradient(self, xp: Namespace, z: Array, y: Array) -> Array:
        """∂L/∂z = w (p − y)"""
        log_p = log_softmax(xp, z)
        weight = self.weight(xp, (y * log_p).sum(1))
        return weight[:, None] * (xp.exp(log_p) - y) / len(z)


class NegativeLogLikelihood(TargetProbabilityLoss):
    """Negative log-likelihood of log-softmax: cross entropy in two steps."""

    def each(self, xp: Namespace, log_p_t: Array) -> Array:
        """f = −ln p_t (Goodfellow et al. 2016, eq. 6.12)."""
        return -log_p_t

    def weight(self, xp: Namespace, log_p_t: Array) -> Array:
        """w = 1, so ∂L/∂z = p − y"""
        return xp.ones_like(log_p_t)


@dataclass(frozen=True)
class Poly(TargetProbabilityLoss):
    """Poly-N: the first N coefficients of the series −ln p_t = Σ q^j / j are changed by ε_j (Leng
    et al. 2022).

    With a single ε it is Poly-1. An ε_j of −1/j takes its term out.
    """

    epsilons: tuple[float, ...]

    def each(self, xp: Namespace, log_p_t: Array) -> Array:
        """f = −ln p_t + Σ ε_j q^j; Poly-1: −ln p_t + ε (1 − p_t)"""
        q = -xp.expm1(log_p_t)
        return -log_p_t + q * polynomial(q, self.epsilons)

    def weight(self, xp: Namespace, log_p_t: Array) -> Array:
        """w = 1 + p_t Σ j ε_j q^(j−1); Poly-1: 1 + ε p_t"""
        q = -xp.expm1(log_p_t)
        slopes = tuple(j * epsilon for j, epsilon in enumerate(self.epsilons, start=1))
        return 1 + xp.exp(log_p_t) * polynomial(q, slopes)


@dataclass(frozen=True)
class TruncatedPoly(TargetProbabilityLoss):
    """The first N terms of the series −ln p_t = Σ q^j / j, the rest dropped (Leng et al. 2022)."""

    terms: int

    def each(self, xp: Namespace, log_p_t: Array) -> Array:
        """f = q + q²/2 + ... + q^N/N"""
        q = -xp.expm1(log_p_t)
        return q * polynomial(q, tuple(1 / j for j in range(1, self.terms + 1)))

    def weight(self, xp: Namespace, log_p_t: Array) -> Array:
        """w = p_t (1 + q + ... + q^(N−1)) = 1 − q^N"""
        return 1 - (-xp.expm1(log_p_t)) ** self.terms


@dataclass(frozen=True)
class Focal(TargetProbabilityLoss):
    """Cross entropy with less weight on well-classified images for larger γ (Lin et al. 2017).

    Without their α, which balances classes of unequal size: here it would only scale the learning
    rate.
    """

    gamma: float

    def each(self, xp: Namespace, log_p_t: Array) -> Array:
        """f = −(1 − p_t)^γ ln p_t (Lin et al. 2017, eq. 4)."""
        return -(self._q(xp, log_p_t) ** self.gamma) * log_p_t

    def weight(self, xp: Namespace, log_p_t: Array) -> Array:
        """w = q^γ (1 − γ p_t ln p_t / q) (from their appendix B); −ln p_t / q tends to 1 where q
        tends to 0."""
        q = self._q(xp, log_p_t)
        return q**self.gamma * (1 - self.gamma * xp.exp(log_p_t) * log_p_t / q)

    def _q(self, xp: Namespace, log_p_t: Array) -> Array:
        """1 − p_t, kept above 0, where a power below 1 has an infinite slope."""
        return xp.clip(-xp.expm1(log_p_t), 1e-30, None)


def polynomial(x: Array, coefficients: tuple[float, ...]) -> Array:
    """c_1 + c_2 x + c_3 x² + ..., from the inside out (Horner)."""
    total = 0 * x
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total
