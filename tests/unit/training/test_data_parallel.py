"""Steps that several processes make together: here threads of this one take their place, and add up
in turn."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.compute.ranks import RankInfo, shard_of
from mnist_trainer.compute.world import SINGLE_WORLD, World
from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.batches import Batches, DataLoaderBatches, ResidentBatches, sample_epoch
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.training.data_parallel import AllReduce, DataParallelStep, ShardedBatches, like
from mnist_trainer.training.engines.autograd import AutogradEngine
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.optim.build import build_optimizer
from mnist_trainer.training.state import MovingAverage, TrainingState
from mnist_trainer.training.step import Step, TrainStep
from tests.conftest import Compose


class Table:
    """Where the threads meet."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self.buffers: dict[int, Tensor] = {}


class Thread(World):
    """One of several threads that stand for processes."""

    def __init__(self, rank: int, size: int, table: Table) -> None:
        self.rank_info = RankInfo(rank, size, rank, size)
        self.table = table
        self.asked = (0.0, 0.0)
        self.counted: list[list[float]] = []

    def all_reduce_sum(self, buffer: Tensor) -> None:
        self.table.buffers[self.rank_info.rank] = buffer.clone()
        self.table.barrier.wait(30)
        buffer.copy_(
            torch.stack([self.table.buffers[rank] for rank in range(self.rank_info.size)]).sum(
                dim=0
            )
        )
        self.table.barrier.wait(30)

    def stop_flags(self) -> tuple[float, float]:
        return self.asked

    def apply_stop_flags(self, flags: Tensor) -> None:
        self.counted.append(flags.tolist())


def together(size: int, work: Callable[[Thread], object]) -> list[object]:
    """What each of the processes comes to."""
    table = Table(size)
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(work, [Thread(rank, size, table) for rank in range(size)]))


@pytest.fixture
def cpu(compose: Compose) -> Device:
    return select_device(compose("device=cpu").device)


@contextmanager
def double_precision() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("loader", ["resident", "dataloader"])
@pytest.mark.parametrize("choice", ["augment", "corrupt", "normalize"])
@pytest.mark.parametrize(
    ("size", "update_size", "count"), [(2, 64, 192), (2, 64, 189), (4, 64, 130), (5, 7, 29)]
)
def test_all_parts_together_are_the_update_in_every_step(
    loader: str,
    choice: str,
    size: int,
    update_size: int,
    count: int,
    compose: Compose,
    cpu: Device,
    some_images: LabelledImages,
) -> None:
    """Each image once, with its own augmentation, in its own update; also where the last one has
    too few for all."""
    config = compose(f"transforms={choice}")
    transforms = build_transforms(config.transforms.fixed, config.transforms.random)
    data = some_images.first(count)

    def made(portion: int) -> Batches:
        if loader == "resident":
            return ResidentBatches(data, transforms, cpu, portion)
        return DataLoaderBatches(data, transforms, cpu, portion, 0)

    sampler = sample_epoch(count, transforms.num_random_params, seed=1, epoch=2)
    whole = list(made(update_size).epoch(sampler, 0))
    for start in (0, len(whole) - 1):
        parts = []
        for rank in range(size):
            world = Thread(rank, size, Table(size))
            portion = len(range(update_size)[shard_of(update_size, world.rank_info)])
            parts.append(
                list(ShardedBatches(made(portion), update_size, world).epoch(sampler, start))
            )
        assert {len(each) for each in parts} == {len(whole) - start}
        for index, (images, labels) in enumerate(whole[start:]):
            assert torch.equal(torch.cat([part[index][1] for part in parts]), labels)
            assert torch.equal(torch.cat([part[index][0] for part in parts]), images)


# Threads share one generator, processes do not.
GENERATOR = threading.Lock()


def state_of(config: RunConfig) -> TrainingState:
    with GENERATOR:
        torch.manual_seed(5)
        model = build_model(config.model, 10)
    optimizer = build_optimizer(config.optimizer, model)
    return TrainingState(
        model=model,
        optimizer=optimizer,
        scheduler=torch.optim.lr_scheduler.ConstantLR(optimizer),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        ema=MovingAverage(model, 0.9),
    )


def train(
    config: RunConfig,
    cpu: Device,
    data: LabelledImages,
    world: World,
    update_size: int,
    epochs: int = 2,
) -> TrainingState:
    """Some epochs, as the trainer makes them."""
    state = state_of(config)
    world.all_reduce_sum(
        torch.zeros(1)
    )  # Nobody seeds a step while another still draws its weights.
    transforms = build_transforms(config.transforms.fixed, config.transforms.random)
    part = len(range(update_size)[shard_of(update_size, world.rank_info)])
    inner = ResidentBatches(data, transforms, cpu, part)
    batches = inner if world is SINGLE_WORLD else ShardedBatches(inner, update_size, world)
    engine = AutogradEngine(state.model, build_loss(config.loss), state.scaler, cpu)
    eager = TrainStep(state, engine, cpu, NonFiniteDetector(cpu), part, clip_norm=0.5)
    step: Step = eager
    if world is not SINGLE_WORLD:
        step = DataParallelStep(eager, world, update_size, len(data), config.seed)
    for epoch in range(epochs):
        state.progress.batch = 0
        for images, labels in batches.epoch(
            sample_epoch(len(data), transforms.num_random_params, 1, epoch), 0
        ):
            state.progress.batch += 1
            state.progress.step += 1
            step(images.to(torch.get_default_dtype()), labels, measure_norm=True)
    return state


@pytest.mark.parametrize("model", ["fcn", "cnn"])
@pytest.mark.parametrize(("size", "update_size", "count"), [(2, 64, 200), (3, 32, 129)])
def test_training_together_is_training_alone(
    model: str,
    size: int,
    update_size: int,
    count: int,
    compose: Compose,
    cpu: Device,
    some_images: LabelledImages,
) -> None:
    """In double precision, where the order of additions leaves 12 digits: weights, average,
    clipping, metrics.

    Updates of unequal parts, and a last one that leaves a process without an image, included.
    """
    config = compose(f"model={model}", "optimizer.lr=0.05", "optimizer.momentum=0.9")
    data = some_images.first(count)
    with double_precision():
        alone = train(config, cpu, data, SINGLE_WORLD, update_size)
        states = together(size, lambda world: train(config, cpu, data, world, update_size))
    for state in states:
        assert isinstance(state, TrainingState)
        for name, expected in alone.model.state_dict().items():
            assert torch.allclose(state.model.state_dict()[name], expected, atol=1e-10, rtol=0), (
                name
            )
        for name, expected in alone.weights().items():
            assert torch.allclose(state.weights()[name], expected, atol=1e-10, rtol=0), name
        ours, theirs = state.interval_accumulator.read(), alone.interval_accumulator.read()
        assert (ours.correct, ours.count) == (theirs.correct, theirs.count)
        assert ours.loss == pytest.approx(theirs.loss, abs=1e-10)


def test_a_sum_that_is_a_little_off_is_seen(
    compose: Compose, cpu: Device, some_images: LabelledImages
) -> None:
    """The control of the test before."""
    config = compose("model=fcn", "optimizer.lr=0.05")
    data = some_images.first(129)

    class Off(Thread):
        def all_reduce_sum(self, buffer: Tensor) -> None:
            super().all_reduce_sum(buffer)
            buffer[4:].mul_(1 + 1e-6)

    with double_precision():
        alone = train(config, cpu, data, SINGLE_WORLD, 32)
        table = Table(2)
        with ThreadPoolExecutor(2) as pool:
            worlds = [Off(rank, 2, table) for rank in range(2)]
            states = list(pool.map(lambda world: train(config, cpu, data, world, 32), worlds))
    weights = states[0].model.state_dict()
    assert any(
        not torch.allclose(weights[name], each, atol=1e-10)
        for name, each in alone.model.state_dict().items()
    )


def test_statistics_of_batch_normalisation_are_those_of_all_images() -> None:
    """The running mean is exact: a mean of means, weighed by their images. Every process has the
    same."""
    images = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = nn.BatchNorm2d(3)
    whole(images)

    def work(world: Thread) -> nn.BatchNorm2d:
        layer = nn.BatchNorm2d(3)
        part = images[shard_of(10, world.rank_info)]
        loss = layer(part).sum()
        loss.backward()
        AllReduce(world, layer)(loss.detach(), torch.tensor(1), len(part) / 10)
        return layer

    layers = together(3, work)
    for layer in layers:
        assert isinstance(layer, nn.BatchNorm2d)
        assert torch.allclose(layer.running_mean, whole.running_mean, atol=1e-6)  # type: ignore[arg-type]
        assert torch.equal(layer.running_var, layers[0].running_var)  # type: ignore[attr-defined, arg-type]


def test_parameters_that_no_process_trains_get_no_gradient() -> None:
    """And one whose images are none gets that of the others."""

    def work(world: Thread) -> list[Tensor | None]:
        model = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
        if world.rank_info.rank == 0:
            model[0](torch.ones(1, 2)).sum().backward()
        exchange = AllReduce(world, model)
        exchange(torch.zeros(()), torch.tensor(0), 1.0 - world.rank_info.rank)
        return [parameter.grad for parameter in model.parameters()]

    for gradients in together(2, work):
        values = [None if g is None else g.flatten().tolist() for g in gradients]  # type: ignore[attr-defined]
        assert values == [[1, 1], [1], None, None]


def test_a_parameter_that_gets_a_gradient_later_is_refused() -> None:
    model = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    exchange = AllReduce(SINGLE_WORLD, model)
    model[0](torch.ones(1, 2)).sum().backward()
    exchange(torch.zeros(()), torch.tensor(0), 1.0)
    model[1](torch.ones(1, 2)).sum().backward()
    with pytest.raises(ConfigError, match="one process"):
        exchange(torch.zeros(()), torch.tensor(0), 1.0)


def test_a_request_to_stop_in_one_process_reaches_all_in_the_same_step() -> None:
    def work(world: Thread) -> list[list[float]]:
        exchange = AllReduce(world, nn.Linear(1, 1))
        for step in range(3):
            world.asked = (0.0, float(step >= 1 and world.rank_info.rank == 1))
            exchange(torch.zeros(()), torch.tensor(0), 0.5)
        return world.counted

    first, second = together(2, work)
    assert first == second == [[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gradients_lie_in_memory_as_their_weights_do(layout: torch.memory_format) -> None:
    weight = torch.randn(4, 3, 2, 2).to(memory_format=layout)
    section = torch.zeros(weight.numel() + 5)[5:]
    view = like(weight, section)
    view.copy_(weight)
    assert view.stride() == weight.stride()
    assert torch.equal(view, weight)
    assert view.data_ptr() == section.data_ptr()
