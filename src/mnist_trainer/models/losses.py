"""The losses of the group ``loss``: logits (N, C) and labels (N,) to the mean over the batch.

``cross_entropy`` is PyTorch's own, in one kernel. The others take ln p_t, the log-probability of
the target class, from that kernel too, and continue by their formula. Under autocast all of them
compute in float32.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.formulas import losses as formulas
from mnist_trainer.models.formulas.losses import Loss, TargetProbabilityLoss


class _TargetProbability(nn.Module):
    """The mean of a function of the probability of the target class."""

    def __init__(self, formula: TargetProbabilityLoss) -> None:
        super().__init__()
        self.formula = formula

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
    """Squared distance of the softmax of the logits, or of the logits, from one-hot labels."""

    def __init__(self, of: str) -> None:
        super().__init__()
        if of not in ("softmax", "logits"):
            raise ConfigError(f"loss.of={of}: must be one of: softmax, logits")
        self.formula = formulas.MeanSquaredError(of)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, C) and labels (N,) to a scalar."""
        z = at_least_float32(logits)
        loss: Tensor = self.formula.value(torch, z, formulas.one_hot(torch, labels, z))
        return loss


class Poly1(_TargetProbability):
    """Cross entropy + ε (1 − p_t): Poly-1 (Leng et al. 2022)."""

    def __init__(self, epsilon: float) -> None:
        super().__init__(formulas.Poly(checked_epsilons([epsilon], "loss.epsilon")))


class PolyN(_TargetProbability):
    """Cross entropy + Σ ε_j (1 − p_t)^j: Poly-N (Leng et al. 2022)."""

    def __init__(self, epsilons: Sequence[float]) -> None:
        super().__init__(formulas.Poly(checked_epsilons(epsilons, "loss.epsilons")))


class PolySeries(_TargetProbability):
    """The first ``terms`` terms of −ln p_t = Σ (1 − p_t)^j / j (Leng et al. 2022)."""

    def __init__(self, terms: int) -> None:
        if terms < 1:
            raise ConfigError(f"loss.terms={terms}: must be at least 1")
        super().__init__(formulas.TruncatedPoly(terms))


class Focal(_TargetProbability):
    """(1 − p_t)^γ times cross entropy (Lin et al. 2017, eq. 4); unbounded for γ < 0."""

    def __init__(self, gamma: float) -> None:
        if gamma < 0:
            raise ConfigError(f"loss.gamma={gamma}: must be at least 0")
        super().__init__(formulas.Focal(gamma))


class Distill(nn.Module):
    """Distillation (Hinton et al. 2015, section 2): cross entropy with the labels, and with the
    softened answers of a teacher.

    ``forward`` is the part that needs no teacher: by it a network is evaluated.
    """

    def __init__(self, teacher: str | None, temperature: float, hard_weight: float) -> None:
        """Args:
        teacher: run folder of the teacher, which the training loads; None: none is named.
        temperature: divides the logits of both before the softmax.
        hard_weight: weight of the labels, 0 to 1; the rest is the teacher's.
        """
        super().__init__()
        self.teacher = teacher
        self.temperature = temperature
        self.hard_weight = hard_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Logits (N, C) and labels (N,) to a scalar."""
        return F.cross_entropy(at_least_float32(logits), labels)

    def distill(self, logits: Tensor, labels: Tensor, teacher_logits: Tensor) -> Tensor:
        """w CE(z, y) + (1 - w) T² KL(softmax(v / T), softmax(z / T)), the mean over the batch.

        Args:
            logits: z, (N, C).
            labels: y, (N,).
            teacher_logits: v, (N, C).
        """
        temperature = self.temperature
        student = F.log_softmax(at_least_float32(logits) / temperature, dim=1)
        teacher = F.log_softmax(at_least_float32(teacher_logits) / temperature, dim=1)
        soft = F.kl_div(student, teacher, reduction="batchmean", log_target=True)
        # Gradients of the soft part scale with 1 / T²; the factor keeps the weights' meaning.
        hard, weight = self.forward(logits, labels), self.hard_weight
        loss: Tensor = weight * hard + (1 - weight) * temperature**2 * soft
        return loss


def at_least_float32(logits: Tensor) -> Tensor:
    """Convert half precision, in which a sum of exponentials loses its digits, to float32."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def checked_epsilons(epsilons: Sequence[float], key: str) -> tuple[float, ...]:
    """Check that no ε_j turns the sign of its term, whose coefficient is 1/j + ε_j.

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
    """The formula of a loss and its gradient; None for a loss outside the group ``loss``."""
    if type(criterion) is nn.CrossEntropyLoss:
        plain = (
            criterion.weight is None
            and criterion.reduction == "mean"
            and criterion.ignore_index == -100
        )
        return formulas.CrossEntropy(criterion.label_smoothing) if plain else None
    if isinstance(criterion, _TargetProbability | NLL | MSE):
        return criterion.formula
    return None
