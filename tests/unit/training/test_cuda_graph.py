"""Replayed steps are the eager ones: with a literal stand-in on the CPU, with CUDA's own graphs
where there is a GPU."""

import dataclasses
import importlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import select_device
from mnist_trainer.compute.world import SINGLE_WORLD
from mnist_trainer.config.settings import AdversarySettings
from mnist_trainer.data.batches import EpochSampler, TrainingImages
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.dense import FCN
from mnist_trainer.runs.checkpoint import load_checkpoint
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.training import cuda_graph as graphs
from mnist_trainer.training.accumulators import MetricAccumulator
from mnist_trainer.training.adversarial_step import AdversarialStep
from mnist_trainer.training.cuda_graph import WARM_UP, GraphStep, capture_blocker, choose_step
from mnist_trainer.training.engines.autograd import AutogradEngine
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.optim.build import build_optimizer, build_scheduler
from mnist_trainer.training.run import train
from mnist_trainer.training.state import MovingAverage, TrainingState
from mnist_trainer.training.step import Step, StepOutput, TrainStep
from tests.conftest import Compose
from tests.recording import OperatorGraph, PretendCuda

CPU = torch.device("cpu")
NO_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
BATCH, EPOCH = 16, 16 * 4 + 6


@pytest.fixture(autouse=True)
def _capturable_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch admits the variants that graphs need only on devices that have graphs; they compute
    the same anywhere."""
    for module in ("rmsprop", "adadelta"):
        namespace = importlib.import_module(f"torch.optim.{module}")
        monkeypatch.setattr(
            namespace, "_get_capturable_supported_devices", lambda **_: ["cpu", "cuda"]
        )


def make_step(
    compose: Compose, *words: str, capturable: bool = True, batch_size: int = BATCH
) -> TrainStep:
    config = compose("device=cpu", *words)
    torch.manual_seed(3)
    model = nn.Sequential(
        FCN([24], "relu", 0.2, 12), nn.Tanh(), nn.BatchNorm1d(12), nn.Linear(12, 10)
    )
    optimizer = build_optimizer(config.optimizer, model, capturable=capturable)
    for group in optimizer.param_groups:
        group.setdefault("fused", False)
        group["foreach"] = not group["fused"]  # As PyTorch chooses on CUDA.
    device = PretendCuda(CPU, "fp32", torch.contiguous_format, "pretended")
    decay = config.trainer.ema_decay
    state = TrainingState(
        model=model,
        optimizer=optimizer,
        scheduler=build_scheduler(config.scheduler, optimizer, 5, 20),
        scaler=device.grad_scaler(),
        ema=None if decay is None else MovingAverage(model, decay),
    )
    state.interval_accumulator = MetricAccumulator(CPU)  # As on CUDA.
    engine = AutogradEngine(model, nn.CrossEntropyLoss(), state.scaler, device)
    detector = NonFiniteDetector(device)
    return TrainStep(state, engine, device, detector, batch_size, config.trainer.clip_norm)


def graph_of(step: TrainStep, problem: str | None = None) -> OperatorGraph:
    return OperatorGraph(problem, step.state.ema)


def batches(epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(5)
    for _ in range(epochs):
        images = torch.randn(EPOCH, 1, 28, 28, generator=generator)
        labels = torch.randint(0, 10, (EPOCH,), generator=generator)
        yield from zip(images.split(BATCH), labels.split(BATCH), strict=True)


def train_with(step: Step, state: TrainingState, epochs: int = 4) -> list[StepOutput]:
    torch.manual_seed(11)  # For dropout.
    outcomes = []
    for images, labels in batches(epochs):
        outcome = step(images, labels, measure_norm=True)
        values = (outcome.loss, outcome.gradient_norm)
        outcomes.append(StepOutput(*(value.clone() for value in values if value is not None)))
        state.scheduler.step()
    return outcomes


def assert_equal_trees(ours: Any, theirs: Any, place: str = "", rtol: float = 0.0) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), place
        for key in ours:
            assert_equal_trees(ours[key], theirs[key], f"{place}.{key}", rtol)
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs), place
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_equal_trees(*pair, f"{place}[{index}]", rtol)
    elif isinstance(ours, Tensor):
        assert torch.allclose(ours.double(), theirs.double(), rtol=rtol, atol=rtol / 10), place
    else:
        assert type(ours) is type(theirs), place
        assert ours == (pytest.approx(theirs, rel=rtol) if isinstance(ours, float) else theirs), (
            place
        )


CASES = {
    "momentum": (
        "optimizer=sgd",
        "optimizer.momentum=0.9",
        "optimizer.nesterov=true",
        "scheduler=onecycle",
    ),
    "dampening": ("optimizer=sgd", "optimizer.dampening=0.5", "scheduler=cosine"),
    "average": ("optimizer=sgd", "trainer.ema_decay=0.8", "trainer.clip_norm=0.1"),
    "adam": ("optimizer=adam", "scheduler=onecycle", "trainer.ema_decay=0.9"),
    "adamw": ("optimizer=adamw", "scheduler=cosine", "trainer.clip_norm=1"),
    "rmsprop": (
        "optimizer=rmsprop",
        "optimizer.lr=0.0001",
        "optimizer.momentum=0.5",
        "scheduler=cosine",
    ),
    "adadelta": ("optimizer=adadelta", "scheduler=cosine"),
}


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_replayed_training_equals_captured_bitwise(
    words: tuple[str, ...], accumulation: int, compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a checkpoint holds, random numbers included, and the outcome of every step; partial
    batches are among them.

    Against the same steps in endless warm-up, and, up to the rounding of a rate in float32, against
    eager ones.
    """
    size = BATCH // accumulation
    replayed, warmed_up, eager = (make_step(compose, *words, batch_size=size) for _ in range(3))
    graph = graph_of(replayed)
    outcomes = train_with(GraphStep(replayed, BATCH, graph, required=True), replayed.state)
    assert graph.replays == 4 * 4 - WARM_UP
    train_with(eager, eager.state)
    monkeypatch.setattr(graphs, "WARM_UP", 1000)
    expected = train_with(
        GraphStep(warmed_up, BATCH, graph_of(warmed_up), required=True), warmed_up.state
    )
    for got, wanted in zip(outcomes, expected, strict=True):
        assert_equal_trees(dataclasses.astuple(got), dataclasses.astuple(wanted))
    assert_equal_trees(replayed.state.state_dict(), warmed_up.state.state_dict())
    assert_equal_trees(replayed.state.weights(), eager.state.weights(), rtol=1e-2)


def test_capture_alone_changes_nothing(compose: Compose) -> None:
    """The stand-in itself: it takes back all changes."""
    eager = make_step(compose, "optimizer=adam", "trainer.ema_decay=0.9")
    (images, labels), *_ = batches(1)
    eager(images, labels, measure_norm=True)
    before = {name: value.clone() for name, value in eager.state.model.state_dict().items()}
    random = torch.get_rng_state()
    graph_of(eager).capture(lambda: eager.compute(images, labels, True))
    assert_equal_trees(dict(eager.state.model.state_dict()), before)
    assert torch.equal(random, torch.get_rng_state())


def test_checkpoints_go_from_graphs_to_eager_and_back(compose: Compose) -> None:
    """Two epochs in one go, and the second in a session of another kind: the same weights; saved
    rates are floats."""
    whole = make_step(compose, *CASES["adam"])
    train_with(whole, whole.state, epochs=2)
    first = make_step(compose, *CASES["adam"])
    train_with(GraphStep(first, BATCH, graph_of(first), required=True), first.state, epochs=1)
    saved = first.state.state_dict()
    assert [type(group["lr"]) for group in saved["optimizer"]["param_groups"]] == [float]
    second = make_step(compose, *CASES["adam"], capturable=False)
    second.state.load_state_dict(saved)
    assert second.state.optimizer.param_groups[0]["capturable"] is False
    assert first.state.optimizer.param_groups[0]["capturable"] is True
    step = second
    for images, labels in list(batches(2))[5:]:
        step(images, labels, measure_norm=False)
        second.state.scheduler.step()
    assert_equal_trees(
        second.state.state_dict()["model"], whole.state.state_dict()["model"], rtol=1e-3
    )
    back = make_step(compose, *CASES["adam"])
    back.state.load_state_dict(second.state.state_dict())
    assert back.state.optimizer.param_groups[0]["capturable"] is True


def test_a_nonfinite_step_is_found_after_replays(compose: Compose) -> None:
    eager = make_step(compose, "optimizer=sgd", "trainer.ema_decay=0.9")
    step = GraphStep(eager, BATCH, graph_of(eager), required=True)
    (images, labels), *_ = batches(1)
    for number in range(1, 10):
        step(images * float("nan") if number == 7 else images, labels, measure_norm=False)
    assert eager.detector.first_bad_step(9) == 7


class Looking(nn.Module):
    """Decides in Python by what is on the device."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, labels)
        return loss * 2 if loss.item() > 1 else loss


def looking(step: TrainStep) -> TrainStep:
    """The same step with such a loss."""
    state = step.state
    return dataclasses.replace(
        step, engine=AutogradEngine(state.model, Looking(), state.scaler, step.device)
    )


def test_a_step_that_reads_the_device_cannot_be_captured(compose: Compose) -> None:
    eager = looking(make_step(compose))
    step = GraphStep(eager, BATCH, graph_of(eager), required=True)
    with pytest.raises(ConfigError, match=r"capturing(.|\n)*device\.graph=false"):
        train_with(step, eager.state)
    assert type(eager.state.optimizer.param_groups[0]["lr"]) is float


def test_failed_capture_changes_nothing_unless_required(
    compose: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    eager, graph = (looking(make_step(compose)) for _ in range(2))
    with caplog.at_level("INFO"):
        train_with(GraphStep(graph, BATCH, graph_of(graph), required=False), graph.state)
    train_with(eager, eager.state)
    assert "capturing" in caplog.text
    assert_equal_trees(graph.state.weights(), eager.state.weights(), rtol=1e-3)


def test_after_a_problem_in_warm_up_training_goes_on_eagerly(
    compose: Compose, caplog: pytest.LogCaptureFixture
) -> None:
    eager, graph = (make_step(compose, *CASES["adam"]) for _ in range(2))
    blocked = graph_of(graph, "it looks at the device")
    with caplog.at_level("INFO"):
        train_with(GraphStep(graph, BATCH, blocked, required=False), graph.state)
    assert "it looks at the device" in caplog.text
    assert blocked.replays == 0
    train_with(eager, eager.state)
    assert_equal_trees(graph.state.weights(), eager.state.weights(), rtol=1e-3)
    with pytest.raises(ConfigError, match=r"device\.graph=true: it looks at the device"):
        train_with(GraphStep(graph, BATCH, blocked, required=True), graph.state)


def test_a_schedule_of_more_than_the_rate_is_not_frozen(compose: Compose) -> None:
    def cycled() -> TrainStep:
        eager = make_step(compose, "optimizer=sgd")
        optimizer = eager.state.optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=30)
        return dataclasses.replace(
            eager, state=dataclasses.replace(eager.state, scheduler=schedule)
        )

    eager, graph = cycled(), cycled()
    train_with(eager, eager.state)
    train_with(GraphStep(graph, BATCH, graph_of(graph), required=False), graph.state)
    assert_equal_trees(graph.state.weights(), eager.state.weights(), rtol=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adadelta"])
def test_every_shipped_optimizer_can_be_captured(name: str, compose: Compose) -> None:
    state = make_step(compose, f"optimizer={name}").state
    assert capture_blocker(state.optimizer, state.scaler) is None


def test_optimizers_that_cannot_be_captured_are_named(compose: Compose) -> None:
    state = make_step(compose).state
    parameters = list(state.model.parameters())
    for optimizer in (torch.optim.Adagrad(parameters), torch.optim.SGD(parameters, foreach=True)):
        reason = capture_blocker(optimizer, state.scaler)
        assert reason is not None
        assert type(optimizer).__name__ in reason
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # There is no CUDA to scale for.
        scaler = torch.amp.grad_scaler.GradScaler("cpu", enabled=True)
    rmsprop = make_step(compose, "optimizer=rmsprop").state.optimizer
    assert "fp16" in str(capture_blocker(rmsprop, scaler))
    assert capture_blocker(state.optimizer, scaler) is None


def test_graphs_are_chosen_where_the_device_has_them(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = make_step(compose)
    assert choose_step(eager, BATCH, "auto") is eager
    with_graphs = dataclasses.replace(eager, device=dataclasses.replace(eager.device, graphs=True))
    monkeypatch.setattr(graphs, "CudaGraph", lambda _: OperatorGraph())
    assert isinstance(choose_step(with_graphs, BATCH, "auto"), GraphStep)
    state = dataclasses.replace(
        eager.state, optimizer=torch.optim.Adagrad(eager.state.model.parameters())
    )
    unfit = dataclasses.replace(with_graphs, state=state)
    assert choose_step(unfit, BATCH, "auto") is unfit
    with pytest.raises(ConfigError, match="Adagrad"):
        choose_step(unfit, BATCH, True)


def test_the_cpu_has_no_graphs(compose: Compose) -> None:
    assert not select_device(compose("device=cpu").device).graphs
    with pytest.raises(ConfigError, match=r"device\.graph=true.*cpu"):
        select_device(compose("device=cpu", "device.graph=true").device)
    with pytest.raises(
        ConfigError, match=r"device\.graph=on: must be one of: auto, or true or false"
    ):
        compose("device=cpu", "device.graph=on")


SMALL = (
    "data.train_limit=1000",
    "data.validation_limit=500",
    "data.test_limit=500",
    "trainer.epochs=3",
    "tracker=none",
)


def train_on_cuda(compose: Compose, data_root: Path, folder: Path, *words: str) -> dict[str, Any]:
    folder.mkdir()
    train(
        compose("device=cuda", f"data.root={data_root}", *SMALL, *words),
        RunFolder(folder),
        time.perf_counter(),
    )
    return load_checkpoint(folder / "checkpoints" / "last.pt")


@NO_CUDA
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adadelta"])
def test_graphs_on_cuda_equal_eager_steps(
    name: str,
    precision: str,
    compose: Compose,
    data_root: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    common = (
        f"optimizer={name}",
        "scheduler=onecycle",
        "optimizer.lr=0.002",
        "trainer.ema_decay=0.9",
        "trainer.clip_norm=1",
    )
    words = (*common, f"device.precision={precision}", "model.dropout=0.2")
    eager = train_on_cuda(compose, data_root, tmp_path / "eager", *words, "device.graph=false")
    with caplog.at_level("INFO"):
        graph = train_on_cuda(compose, data_root, tmp_path / "graph", *words)
    fits = precision != "fp16" or name in ("sgd", "adam", "adamw")
    assert ("Recorded the training step" in caplog.text) is fits
    assert torch.equal(eager["random"]["cuda"][0], graph["random"]["cuda"][0])
    for part in ("model", "weights"):
        for key, value in eager[part].items():
            assert torch.allclose(value.float(), graph[part][key].float(), rtol=2e-2, atol=5e-3), (
                f"{part}.{key}"
            )
    assert type(graph["optimizer"]["param_groups"][0]["lr"]) is float


@NO_CUDA
@pytest.mark.parametrize("graph", ["true", "false"])
def test_no_step_on_cuda_waits_for_the_device(
    graph: str, compose: Compose, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch raises where an operation waits; log points, which may, are switched out."""
    from mnist_trainer.training.trainer import Trainer

    usual = Trainer.train_step

    def guarded(self: Trainer, images: Tensor, labels: Tensor) -> StepOutput:
        # The first steps make what is made once, and recording waits.
        torch.cuda.set_sync_debug_mode("error" if self.progress.step > 2 * WARM_UP else "default")
        try:
            return usual(self, images, labels)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Trainer, "train_step", guarded)
    train_on_cuda(
        compose,
        data_root,
        tmp_path / "run",
        "trainer.ema_decay=0.9",
        "trainer.clip_norm=1",
        f"device.graph={graph}",
    )


class Own:
    """The batches of this file, as a loader."""

    def epoch(self, sampler: EpochSampler, start: int) -> Iterator[tuple[Tensor, Tensor]]:  # noqa: ARG002
        return batches(1)


def test_adversarial_steps_are_replayed_on_the_images_of_each_step(compose: Compose) -> None:
    """The attack runs before the graph, with the weights and the epsilon of the moment."""
    settings = AdversarySettings(epsilon=0.2, steps=2, step_size=0.1, warmup_epochs=2.0)
    data = TrainingImages(Own(), EPOCH, 0, BATCH, 3, ())

    def trained(step: Step, eager: TrainStep) -> TrainingState:
        cpu = select_device(compose("device=cpu").device)
        adversarial = AdversarialStep(
            step, settings, eager.state, data, cpu, SINGLE_WORLD, (0.0, 1.0), BATCH
        )
        torch.manual_seed(11)
        for epoch in range(4):
            for number, (images, labels) in enumerate(data.epoch(epoch), start=1):
                eager.state.progress.batch = number
                eager.state.progress.step = epoch * data.steps_per_epoch + number
                adversarial(images, labels, measure_norm=True)
        return eager.state

    replayed, eager = (make_step(compose, "optimizer.lr=0.03125") for _ in range(2))
    graph = graph_of(replayed)
    ours = trained(GraphStep(replayed, BATCH, graph, required=True), replayed)
    assert graph.replays == 4 * 4 - WARM_UP
    assert_equal_trees(ours.weights(), trained(eager, eager).weights())
