"""The training step as a CUDA graph: captured once, then replayed with one call instead of
hundreds.

Capture follows some warm-up updates that are real ones: they make what is made on first use (the
optimizer's state, cuDNN's choice of algorithms, the scaler's scale) and count as training, so that
nothing has to be undone. A graph repeats the same operations on the same addresses. So images and
labels are copied into static buffers, and the learning rate is a tensor that is written before each
replay; everywhere else it stays a float. Dropout draws from the default CUDA generator, which
advances through replays: its state in a checkpoint is what it would be without graphs.

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
from mnist_trainer.training.step import Step, StepOutput, TrainStep

log = logging.getLogger(__name__)

WARM_UP = 3
"""Updates before the capture; PyTorch's documentation asks for a few."""
TURN_OFF = "Leave it out with device.graph=false"

Work = Callable[[], StepOutput]


class Graph(Protocol):
    """Captures the operations of a piece of work, and replays them."""

    def warm_up(self, work: Work) -> tuple[StepOutput, str | None]:
        """Do the work; tell why it cannot be captured, None where it can."""
        ...

    def capture(self, work: Work) -> StepOutput:
        """Capture the work without doing it; each replay fills the output."""
        ...

    def replay(self) -> None: ...


class CudaGraph:
    """A graph of CUDA's."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.stream = torch.cuda.Stream(device)
        self.graph = torch.cuda.CUDAGraph()

    def warm_up(self, work: Work) -> tuple[StepOutput, str | None]:
        """On a side stream, as capture requires; PyTorch warns of operations that synchronize."""
        current = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(current)
        before, mode = host_rng_state(), torch.cuda.get_sync_debug_mode()
        with warnings.catch_warnings(record=True) as caught, torch.cuda.stream(self.stream):
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                output = work()
            finally:
                torch.cuda.set_sync_debug_mode(mode)
        current.wait_stream(self.stream)
        if any("called a synchronizing CUDA operation" in str(each.message) for each in caught):
            return output, "the step waits for the device, as .item() does"
        if host_rng_state() != before:
            return (
                output,
                "the step draws random numbers outside the device, which a replay would repeat",
            )
        return output, None

    def capture(self, work: Work) -> StepOutput:
        # The outer context restores the stream where capture fails: torch.cuda.graph does not.
        with (
            torch.cuda.stream(torch.cuda.current_stream(self.device)),
            torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"),
        ):
            return work()

    def replay(self) -> None:
        self.graph.replay()


class GraphStep:
    """Replays full-size updates from a graph. The smaller last update of an epoch, and all where
    no graph can be captured, run operation by operation."""

    def __init__(self, eager: TrainStep, full_size: int, graph: Graph, required: bool) -> None:
        """Args:
        eager: the step to capture.
        full_size: images of an update that is replayed.
        required: raise, instead of going on eagerly, where the step cannot be captured.
        """
        self.eager = eager
        self.full_size = full_size
        self.graph = graph
        self.required = required
        self.full_step: Step = self._warm_up
        self.warmed_up = 0
        self.groups = eager.state.optimizer.param_groups
        self.rates = [torch.zeros((), device=eager.device.torch_device) for _ in self.groups]

    def __call__(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        """Raises ConfigError where a graph is required and cannot be captured."""
        step = self.full_step if len(labels) == self.full_size else self.eager
        return step(images, labels, measure_norm=measure_norm)

    def _warm_up(
        self,
        images: Tensor,
        labels: Tensor,
        *,
        measure_norm: bool,  # noqa: ARG002
    ) -> StepOutput:
        """A real update, computed exactly as it will be captured."""
        with self._rates_on_device():
            output, problem = self.graph.warm_up(lambda: self.eager.compute(images, labels, True))
        self.eager.count(len(labels))
        self.warmed_up += 1
        # What happens only in the first updates does not prevent capture.
        if self.warmed_up == WARM_UP:
            self.full_step = self._capture
            if problem:
                self._run_eagerly(problem)
        return output

    def _capture(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        self.images, self.labels = images.clone(), labels.clone()
        try:
            with self._rates_on_device():
                self.output = self.graph.capture(
                    lambda: self.eager.compute(self.images, self.labels, True)
                )
        except RuntimeError as error:
            # Capture executes nothing, so the state is what it was before.
            self._run_eagerly(f"the step cannot be recorded: {str(error).splitlines()[0]}")
            return self.eager(images, labels, measure_norm=measure_norm)
        self.captured_options = self._options()
        self.full_step = self._replay
        log.info("Recorded the training step as a CUDA graph")
        return self._replay(images, labels, measure_norm=measure_norm)

    def _replay(self, images: Tensor, labels: Tensor, *, measure_norm: bool) -> StepOutput:
        if self._options() != self.captured_options:
            self._run_eagerly("the schedule changes more than the learning rate")
            return self.eager(images, labels, measure_norm=measure_norm)
        self._write_rates()
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        self.eager.count(len(labels))
        return self.output

    def _run_eagerly(self, problem: str) -> None:
        reject_capture(problem, self.required)
        self.full_step = self.eager

    def _options(self) -> list[dict[str, Any]]:
        """Options of the optimizer that a graph holds as constants."""
        return [
            {key: value for key, value in group.items() if key not in ("params", "lr")}
            for group in self.groups
        ]

    def _write_rates(self) -> None:
        for rate, group in zip(self.rates, self.groups, strict=True):
            rate.fill_(group["lr"])

    @contextlib.contextmanager
    def _rates_on_device(self) -> Iterator[None]:
        """Let the optimizer read its learning rates from static tensors within the context."""
        self._write_rates()
        floats = [group["lr"] for group in self.groups]
        for rate, group in zip(self.rates, self.groups, strict=True):
            group["lr"] = rate
        try:
            yield
        finally:
            for value, group in zip(floats, self.groups, strict=True):
                group["lr"] = value


def choose_step(eager: TrainStep, full_size: int, asked: Literal["auto"] | bool) -> Step:
    """The step as a graph where the device has graphs, else as it is.

    Raises:
        ConfigError: a graph is asked for, and this step cannot be captured.
    """
    if not eager.device.graphs:
        return eager
    if problem := capture_blocker(eager.state.optimizer, eager.state.scaler):
        reject_capture(problem, asked is True)
        return eager
    return GraphStep(eager, full_size, CudaGraph(eager.device.torch_device), asked is True)


def capture_blocker(optimizer: Optimizer, scaler: GradScaler) -> str | None:
    """Why the optimizer's step cannot be captured; None where it can."""
    name = type(optimizer).__name__
    if isinstance(optimizer, SGD):
        if not all(group.get("fused") for group in optimizer.param_groups):
            return f"{name} reads its learning rate from the device only where it is fused"
    elif not all(group.get("capturable") for group in optimizer.param_groups):
        return f"{name} keeps part of its state outside the device (it has no capturable=True)"
    if scaler.is_enabled() and not all(group.get("fused") for group in optimizer.param_groups):
        return f"in fp16 only a fused optimizer skips an update by itself, and {name} is not fused"
    return None


def reject_capture(problem: str, required: bool) -> None:
    """Log why there is no graph; raise ConfigError where one is required."""
    if required:
        raise ConfigError(f"device.graph=true: {problem}. {TURN_OFF}, or device.graph=auto")
    log.info("No CUDA graph: %s", problem)
