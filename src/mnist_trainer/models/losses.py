"""The losses of the group ``loss``: logits (N, C) and labels (N,) to their mean over the batch, a
scalar.

``cross_entropy`` is PyTorch's own, in one kernel. The others take ln p_t, the logarithm of the
probability of the right class, from that kernel too, and go on by their formula. Under autocast all
of them compute in float32.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.formulas import losses as formulas
from mnist_trainer.models.formulas.losses import Loss, TargetProbabilityLoss


class _OfTheRightClass(nn.Module):
    """The mean of a function of the probability of the right class."""

    formula: TargetProbabilityLoss

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, C) and labels (N,) to a scalar."""
        log_p_t = -F.cross_entropy(at_least_float32(logits), labels, reduction="none")  # (N,)
        loss: Tensor = self.formula.each(torch, log_p_t).mean()
        return loss


class NLL(nn.Module):
    """Negative log-likelihood of log-softmax: cross entropy in two steps."""

    formula = formulas.NegativeLogLikelihood()

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, C) and labels (N,) to a scalar."""
        log_p = F.log_softmax(at_least_float32(logits), dim=1)  # (N, C)
        return F.nll_loss(log_p, labels)


class MSE(nn.Module):
    """Squared distance of the softmax of the logits, or of the logits themselves, from labels as
    zeros and a one."""

    def __init__(self, of: str) -> None:
        """Raises:
        ConfigError: neither.
        """
        super().__init__()
        if of not in ("softmax", "logits"):
            raise ConfigError(f"loss.of={of}: must be one of: softmax, logits")
        self.formula = formulas.MeanSquaredError(of)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, C) and labels (N,) to a scalar."""
        z = at_least_float32(logits)
        y = formulas.one_hot(torch, labels, z)
        loss: Tensor = self.formula.value(torch, z, y)
        return loss


class Poly1(_OfTheRightClass):
    """Cross entropy + ε (1 − p_t): Poly-1 (Leng et al. 2022)."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.formula = formulas.Poly(checked_epsilons([epsilon], "loss.epsilon"))


class PolyN(_OfTheRightClass):
    """Cross entropy + Σ ε_j (1 − p_t)^j: Poly-N (Leng et al. 2022)."""

    def __init__(self, epsilons: Sequence[float]) -> None:
        super().__init__()
        self.formula = formulas.Poly(checked_epsilons(epsilons, "loss.epsilons"))


class PolySeries(_OfTheRightClass):
    """The first terms of the series of cross entropy, Σ (1 − p_t)^j / j (Leng et al. 2022)."""

    def __init__(self, terms: int) -> None:
        """Raises:
        ConfigError: no term is left.
        """
        super().__init__()
        if terms < 1:
            raise ConfigError(f"loss.terms={terms}: must be at least 1")
        self.formula = formulas.TruncatedPoly(terms)


class Focal(_OfTheRightClass):
    """(1 − p_t)^γ times cross entropy (Lin et al. 2017, eq. 4)."""

    def __init__(self, gamma: float) -> None:
        """Raises:
        ConfigError: a negative γ, whose loss has no bound.
        """
        super().__init__()
        if gamma < 0:
            raise ConfigError(f"loss.gamma={gamma}: must be at least 0")
        self.formula = formulas.Focal(gamma)


def at_least_float32(logits: Tensor) -> Tensor:
    """The logits in a precision in which a sum of exponentials keeps its digits."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def checked_epsilons(epsilons: Sequence[float], key: str) -> tuple[float, ...]:
    """The ε_j, of which none may turn the sign of its term, whose coefficient is 1/j + ε_j.

    Raises:
        ConfigError: there is none, or one is below −1/j.
    """
    if not epsilons:
        raise ConfigError(
            f"{key}=[]: give at least one number; without any it is loss=cross_entropy."
        )
    for j, epsilon in enumerate(epsilons, start=1):
        if not epsilon >= -1 / j:
            raise ConfigError(
                f"{key}: {epsilon:g} at place {j} must be at least -1/{j}, where the term vanishes."
            )
    return tuple(epsilons)


def formula_of(criterion: nn.Module) -> Loss | None:
    """The formula that a loss computes, with its gradient; None for a loss that is not of this
    package's group."""
    if type(criterion) is nn.CrossEntropyLoss:
        plain = (
            criterion.weight is None
            and criterion.reduction == "mean"
            and criterion.ignore_index == -100
        )
        return formulas.CrossEntropy(criterion.label_smoothing) if plain else None
    if isinstance(criterion, _OfTheRightClass | NLL | MSE):
        return criterion.formula
    return None
