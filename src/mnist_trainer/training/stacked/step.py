"""One training step of all members of a stack at once."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from mnist_trainer.models.losses import formula_of
from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.stacked.dropout import StackedDropout
from mnist_trainer.training.stacked.member import Member
from mnist_trainer.training.stacked.tensors import per_member, stack, stack_parameters
from mnist_trainer.training.stacked.update import make_update
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import StepOutput

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class StackedStep:
    """As ``TrainStep``, with a leading dimension of M members in every tensor.

    Models, optimizers, averages, metrics and detectors of the members become views of what is
    stacked here.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        trainers = [member.trainer for member in members]
        states = [trainer.state for trainer in trainers]
        self.members = members
        self.first = trainers[0]
        self.settings = self.first.settings
        self.weights = stack_parameters([state.model for state in states])
        self.averages = _stack_averages(states)
        for weight in self.weights:
            weight.requires_grad_()
        self.update = make_update([state.optimizer for state in states], self.weights)
        for state in states:
            # Without gradients it changes nothing, but a schedule warns of optimizers that never
            # make a step.
            state.optimizer.step()
        image = self.first.evaluator.test.images[:1]
        generators = [member.generator for member in members]
        self.dropout = StackedDropout([state.model for state in states], generators, image)
        self.names = [name for name, _ in self.dropout.template.named_parameters()]
        self.loss, self.smoothing = _stacked_loss(
            [trainer.evaluator.criterion for trainer in trainers], self.weights[0]
        )
        self.metrics = _stack_metrics(members)
        self.detector = StackedDetector(members)

    def __call__(self, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Update all members, and hand each its output.

        Args:
            batches: of each member its images (N, 1, H, W) and labels (N,).
        """
        images, labels = (torch.stack(each) for each in zip(*batches, strict=True))
        losses, logits, gradients = self._backpropagate(images, labels)
        correct = (logits.argmax(dim=2) == labels).sum(dim=1)
        self.metrics.accumulate(losses, correct, labels.shape[1])
        norms = self._clip(gradients)
        self.detector.check(losses, gradients, norms)
        self.update.step(gradients)
        self._average()
        if self._ends_epoch:
            show_gradients(self.members, gradients)
        for index, member in enumerate(self.members):
            norm = None if norms is None else norms[index]
            member.output = StepOutput(losses[index], norm)

    def _backpropagate(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Loss (M,) and logits (M, N, C) of the update, and gradients of its mean loss."""
        total, size = labels.shape[1], self.settings.batch_size
        losses, logits, gradients = [], [], []
        for part, part_labels in zip(images.split(size, 1), labels.split(size, 1), strict=True):
            loss, part_logits = self._forward(part, part_labels)
            loss = loss * (part_labels.shape[1] / total)
            # Each member's weights are in its own loss alone.
            gradients.append(torch.autograd.grad(loss.sum(), self.weights))
            losses.append(loss.detach())
            logits.append(part_logits.detach())
        added = [torch.stack(each).sum(0) for each in zip(*gradients, strict=True)]
        summed = added if len(gradients) > 1 else list(gradients[0])
        return torch.stack(losses).sum(0), torch.cat(logits, dim=1), summed

    def _forward(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean loss (M,) and logits (M, B, C) of images (M, B, 1, H, W) and labels (M, B)."""

        def alone(
            weights: dict[str, Tensor], image: Tensor, label: Tensor, smoothing: Tensor
        ) -> tuple[Tensor, Tensor]:
            logits = functional_call(self.dropout.template, weights, (image,))
            return self.loss(logits, label, smoothing), logits

        masks = self.dropout.draw(images.shape[1], images)
        weights = {**dict(zip(self.names, self.weights, strict=True)), **masks}
        losses, logits = vmap(alone)(weights, images, labels, self.smoothing)
        return losses, logits

    def _clip(self, gradients: list[Tensor]) -> Tensor | None:
        """Norms of the gradients before clipping (M,); None where nobody asks for them."""
        step, limit = self.first.progress.step + 1, self.settings.clip_norm
        if limit is None and not self._ends_epoch and step % self.settings.log_every:
            return None
        norms = gradient_norms(gradients)
        if limit is not None:
            factors = (limit / (norms + 1e-6)).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(per_member(factors, gradient))
        return norms

    @property
    def _ends_epoch(self) -> bool:
        """Whether the step that is being computed is the last of its epoch."""
        return self.first.progress.batch + 1 == self.first.data.steps_per_epoch

    @torch.no_grad()
    def _average(self) -> None:
        """As ``MovingAverage.update``, whose count the members keep."""
        decay, ema = self.settings.ema_decay, self.first.state.ema
        if decay is None or ema is None:
            return
        weight = 1.0 if int(ema.n_averaged) == 0 else 1 - decay
        for average, current in zip(self.averages, self.weights, strict=True):
            average.lerp_(current, weight)


class StackedDetector:
    """As ``NonFiniteDetector``: a member whose loss or gradient is not finite has gradients of zero
    from then on; the others go on."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.detectors = [member.trainer.detector for member in members]
        self.waits = self.detectors[0].waits
        self.found_inf = stack([each.found_inf for each in self.detectors])
        self.num_steps = stack([each.num_steps for each in self.detectors])
        for index, detector in enumerate(self.detectors):
            detector.found_inf, detector.num_steps = self.found_inf[index], self.num_steps[index]

    def check(self, losses: Tensor, gradients: Sequence[Tensor], norms: Tensor | None) -> None:
        """Set the flags of members that are not finite, and zero their gradients in place.

        Args:
            norms: of the gradients (M,), where they were measured.
        """
        numbers = [losses.float(), *([] if norms is None else [norms])]
        # NaN survives a maximum too.
        numbers += [torch.linalg.vector_norm(each.flatten(1), math.inf, 1) for each in gradients]
        for each in numbers:
            self.found_inf.masked_fill_(~each.isfinite(), 1)
        if not self.waits and not self.found_inf.any():
            return
        self.num_steps.add_(self.found_inf)
        for gradient in gradients:
            gradient.masked_fill_(per_member(self.found_inf.bool(), gradient), 0)
        if not self.waits:
            for detector, found in zip(self.detectors, self.found_inf.tolist(), strict=True):
                detector.found = bool(found)


def _stack_averages(states: Sequence[TrainingState]) -> list[Tensor]:
    """The members' moving averages, stacked; empty where none are kept."""
    averages = [state.ema.module for state in states if state.ema is not None]
    return stack_parameters(averages) if averages else []


def gradient_norms(gradients: Sequence[Tensor]) -> Tensor:
    """L2 norm of all gradients of each member as one vector, (M,)."""
    norms = [torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients]
    joint: Tensor = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return joint


def show_gradients(members: Sequence[Member], gradients: Sequence[Tensor]) -> None:
    """Let the members' parameters have the gradients, for their trackers."""
    models = [member.trainer.state.model.parameters() for member in members]
    for parameters, gradient in zip(zip(*models, strict=True), gradients, strict=True):
        for parameter, part in zip(parameters, gradient, strict=True):
            parameter.grad = part


def _stack_metrics(members: Sequence[Member]) -> MetricAccumulator:
    """Sums of the members' metrics since the last log point, of which theirs become views."""
    device = members[0].torch_device
    own = []
    for member in members:
        state = member.trainer.state
        accumulator = MetricAccumulator(device)
        accumulator.merge(state.interval_accumulator)
        state.interval_accumulator = accumulator
        own.append(accumulator)
    together = MetricAccumulator(device)
    together.loss_sum = stack([each.loss_sum for each in own])
    together.correct = stack([each.correct for each in own])
    for index, each in enumerate(own):
        each.loss_sum, each.correct = together.loss_sum[index], together.correct[index]
    return together


def _stacked_loss(criteria: Sequence[nn.Module], like: Tensor) -> tuple[Loss, Tensor]:
    """The loss of one member, and the label smoothing of each (M,), in which alone they differ."""
    values = [float(getattr(criterion, "label_smoothing", 0.0)) for criterion in criteria]
    smoothing = torch.tensor(values, dtype=like.dtype, device=like.device)
    first = criteria[0]
    if len(set(values)) > 1 and formula_of(first) is not None:
        return smoothed_cross_entropy, smoothing
    return lambda logits, labels, _: first(logits, labels), smoothing


def smoothed_cross_entropy(logits: Tensor, labels: Tensor, smoothing: Tensor) -> Tensor:
    """Cross entropy with label smoothing (Szegedy et al. 2016, section 7) as a tensor, a scalar.

    Args:
        logits: (N, C).
        labels: (N,).
        smoothing: share of the uniform distribution in the labels, a scalar.
    """
    uniform = -F.log_softmax(logits, dim=1).mean()
    return torch.lerp(F.cross_entropy(logits, labels), uniform, smoothing)
