"""The step as a CUDA graph: recorded once, then replayed with one call, which spares the host a few
hundred.

Recording begins after some updates that are real ones: they warm up what is made when first used
(the optimizer's state, cuDNN's choice of algorithms, the scaler's scale) and count as training, so
that nothing has to be undone afterwards. A recording repeats the same operations on the same
addresses. So images and labels are copied into buffers, and the learning rate is a tensor that is
written before each replay; everywhere else it stays the float that schedules, checkpoints and logs
know. Dropout draws from the default CUDA generator, which counts on through replays: its state in a
checkpoint is what it would be without graphs.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import SGD, Optimizer

from mnist_trainer.compute.rng import host_rng_state
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.step import StepOutput
from mnist_trainer.training.update import EagerStep, Step, Update

log = logging.getLogger(__name__)

WARM_UP = 3
"""Updates before the recording; PyTorch's documentation asks for a few."""
TURN_OFF = "Leave it out with device.graph=false"

Work = Callable[[], StepOutput]


class Recorder(Protocol):
    """Records what a piece of work gives the device to do, and repeats it."""

    def warm_up(self, work: Work) -> tuple[StepOutput, str | None]:
        """Do the work, and tell why it cannot be recorded (None: it can)."""
        ...

    def record(self, work: Work) -> StepOutput:
        """Record the work without doing it; the outcome is filled by each replay."""
        ...

    def replay(self) -> None: ...


class CudaRecorder:
    """CUDA's own."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)
        self.graph = torch.cuda.CUDAGraph()

    def warm_up(self, work: Work) -> tuple[StepOutput, str | None]:
        """On a side stream, which capturing wants; PyTorch tells of operations that wait for the
        device."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        mark, mode = host_rng_state(), torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught, torch.cuda.stream(self.stream):
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                outcome = work()
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        current.wait_stream(self.stream)
        if any("called a synchronizing CUDA operation" in str(each.message) for each in caught):
            return outcome, "the step waits for the device, as .item() does"
        if host_rng_state() != mark:
            return (
                outcome,
                "the step draws random numbers outside the device, which a replay would repeat",
            )
        return outcome, None

    def record(self, work: Work) -> StepOutput:
        # The outer context puts the stream back where a recording fails: torch.cuda.graph then does
        # not.
        with (
            torch.cuda.stream(torch.cuda.current_stream(self.device)),
            torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"),
        ):
            return work()

    def replay(self) -> None:
        self.graph.replay()


class GraphStep:
    """Updates of full size from a recording; the last, smaller one of an epoch, and all where none
    can be made, eagerly."""

    def __init__(self, update: Update, full_size: int, recorder: Recorder, required: bool) -> None:
        """Args:
        full_size: images of an update that is replayed.
        required: raise, instead of going on eagerly, where the step turns out not to be recordable.
        """
        self.update = update
        self.full_size = full_size
        self.recorder = recorder
        self.required = required
        self.eager = EagerStep(update)
        self.full_step: Step = self._warm_up
        self.warmed_up = 0
        self.groups = update.state.optimizer.param_groups
        self.rates = [torch.zeros((), device=update.device.torch_device) for _ in self.groups]

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        """Raises:
        ConfigError: a recording is required, and cannot be made.
        """
        step = self.full_step if len(labels) == self.full_size else self.eager
        return step(images, labels, measure_norm=measure_norm)

    def _warm_up(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:  # noqa: ARG002
        """A real update, made just as it is going to be recorded."""
        with self._rates_on_the_device():
            outcome, problem = self.recorder.warm_up(
                lambda: self.update.compute(images, labels, True)
            )
        self.update.count(len(labels))
        self.warmed_up += 1
        # What happens only the first time is no obstacle.
        if self.warmed_up == WARM_UP:
            self.full_step = self._record
            if problem:
                self._give_up(problem)
        return outcome

    def _record(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        self.images, self.labels = images.clone(), labels.clone()
        try:
            with self._rates_on_the_device():
                self.outcome = self.recorder.record(
                    lambda: self.update.compute(self.images, self.labels, True)
                )
        except RuntimeError as error:
            # Recording executes nothing, so the state is what it was before.
            self._give_up(f"the step cannot be recorded: {str(error).splitlines()[0]}")
            return self.eager(images, labels, measure_norm=measure_norm)
        self.recorded_options = self._options()
        self.full_step = self._replay
        log.info("Recorded the training step as a CUDA graph")
        return self._replay(images, labels, measure_norm=measure_norm)

    def _replay(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        if self._options() != self.recorded_options:
            self._give_up("the schedule changes more than the learning rate")
            return self.eager(images, labels, measure_norm=measure_norm)
        self._write_rates()
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.recorder.replay()
        self.update.count(len(labels))
        return self.outcome

    def _give_up(self, problem: str) -> None:
        refuse(problem, self.required)
        self.full_step = self.eager

    def _options(self) -> list[dict[str, Any]]:
        """Numbers of the optimizer that a recording holds as they were."""
        return [
            {key: value for key, value in group.items() if key not in ("params", "lr")}
            for group in self.groups
        ]

    def _write_rates(self) -> None:
        for rate, group in zip(self.rates, self.groups, strict=True):
            rate.fill_(group["lr"])

    @contextlib.contextmanager
    def _rates_on_the_device(self) -> Iterator[None]:
        """The optimizer reads its learning rates from tensors that stay, and gets its floats back."""
        self._write_rates()
        floats = [group["lr"] for group in self.groups]
        for rate, group in zip(self.rates, self.groups, strict=True):
            group["lr"] = rate
        try:
            yield
        finally:
            for value, group in zip(floats, self.groups, strict=True):
                group["lr"] = value


def choose_step(update: Update, full_size: int, asked: Literal["auto"] | bool) -> Step:
    """The way in which updates are made: from a graph where the device has graphs, else eagerly.

    Raises:
        ConfigError: a graph is asked for, and this step cannot be one.
    """
    if not update.device.graphs:
        return EagerStep(update)
    if problem := capture_blocker(update.state.optimizer, update.state.scaler):
        refuse(problem, asked is True)
        return EagerStep(update)
    return GraphStep(update, full_size, CudaRecorder(update.device.torch_device), asked is True)


def capture_blocker(optimizer: Optimizer, scaler: GradScaler) -> str | None:
    """What keeps the optimizer's step out of a graph; None where nothing does."""
    name = type(optimizer).__name__
    if isinstance(optimizer, SGD):
        if not all(group.get("fused") for group in optimizer.param_groups):
            return f"{name} reads its learning rate from the device only where it is fused"
    elif not all(group.get("capturable") for group in optimizer.param_groups):
        return f"{name} keeps part of its state outside the device (it has no capturable=True)"
    if scaler.is_enabled() and not getattr(optimizer, "_step_supports_amp_scaling", False):
        return f"in fp16 only a fused optimizer skips an update by itself, and {name} is not fused"
    return None


def refuse(problem: str, required: bool) -> None:
    """Say why there is no graph.

    Raises:
        ConfigError: there must be one.
    """
    if required:
        raise ConfigError(f"device.graph=true: {problem}. {TURN_OFF}, or device.graph=auto")
    log.info("No CUDA graph: %s", problem)
