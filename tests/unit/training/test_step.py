"""The step against arithmetic by hand and against PyTorch used the plain way."""

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.models.dense import FCN
from mnist_trainer.training.engines.autograd import AutogradEngine
from mnist_trainer.training.finite import NonFiniteDetector
from mnist_trainer.training.optim.build import build_optimizer
from mnist_trainer.training.state import TrainingState
from mnist_trainer.training.step import StepOutput, TrainStep
from tests.conftest import Compose
from tests.recording import PretendCuda


@pytest.fixture
def cpu(compose: Compose) -> Device:
    return select_device(compose("device=cpu").device)


@pytest.fixture(params=["cpu", "pretended cuda"])
def device(request: pytest.FixtureRequest, cpu: Device) -> Device:
    """A device that is read after each step, and one that must not be."""
    if request.param == "cpu":
        return cpu
    return PretendCuda(torch.device("cpu"), "fp32", torch.contiguous_format, "pretended")


def make_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: Device,
    *,
    batch_size: int = 1000,
    clip_norm: float | None = None,
    scaler: GradScaler | None = None,
) -> TrainStep:
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    state = TrainingState(model, optimizer, scheduler, scaler or device.grad_scaler())
    engine = AutogradEngine(model, nn.CrossEntropyLoss(), state.scaler, device)
    return TrainStep(state, engine, device, NonFiniteDetector(device), batch_size, clip_norm)


def step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    device: Device,
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    batch_size: int = 1000,
    clip_norm: float | None = None,
) -> StepOutput:
    """One step of finite numbers."""
    train_step = make_step(model, optimizer, device, batch_size=batch_size, clip_norm=clip_norm)
    output = train_step(images, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(1) is None
    return output


def test_two_steps_of_sgd_with_momentum_by_hand(cpu: Device, compose: Compose) -> None:
    """One weight for each of two classes, no bias, one input of 1: logits are the weights
    themselves.

    With z = (0, 0) and label 0 the gradient is softmax(z) - y = (-1/2, 1/2).
    Step 1: velocity v = g, weights w = -0.1 v = (0.05, -0.05).
    Step 2: softmax(0.05, -0.05) = (s, 1 - s) with s = 1 / (1 + exp(-0.1)); g = (s - 1, 1 - s);
    v = 0.5 (-1/2, 1/2) + g; w = (0.05, -0.05) - 0.1 v.
    """
    model = nn.Linear(1, 2, bias=False)
    nn.init.zeros_(model.weight)
    config = compose("optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.5")
    optimizer = build_optimizer(config.optimizer, model)
    image, label = torch.ones(1, 1), torch.tensor([0])
    outcome = step(model, optimizer, cpu, image, label)
    assert model.weight.flatten().tolist() == pytest.approx([0.05, -0.05])
    assert outcome.loss.item() == pytest.approx(0.6931472)
    step(model, optimizer, cpu, image, label)
    s = 1 / (1 + 2.718281828459045**-0.1)
    velocity = -0.25 + (s - 1)
    assert model.weight.flatten().tolist() == pytest.approx(
        [0.05 - 0.1 * velocity, -0.05 + 0.1 * velocity]
    )


def networks(count: int) -> list[FCN]:
    torch.manual_seed(0)
    first = FCN([32], "relu", 0.0, 10)
    copies = [FCN([32], "relu", 0.0, 10) for _ in range(count - 1)]
    for copy in copies:
        copy.load_state_dict(first.state_dict())
    return [first, *copies]


def problem(count: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 1, 28, 28, generator=generator), torch.randint(
        0, 10, (count,), generator=generator
    )


def same(first: nn.Module, second: nn.Module, atol: float = 0.0) -> bool:
    return all(
        torch.allclose(a, b, rtol=0, atol=atol)
        for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_accumulated_batches_are_one_large_batch(cpu: Device) -> None:
    whole, parts = networks(2)
    images, labels = problem(50)
    for model, size in ((whole, 50), (parts, 16)):  # 16 + 16 + 16 + 2: the last part weighs less
        outcome = step(
            model, torch.optim.SGD(model.parameters(), 0.1), cpu, images, labels, batch_size=size
        )
        assert outcome.loss.item() == pytest.approx(
            nn.functional.cross_entropy(networks(1)[0](images), labels).item()
        )
    assert same(whole, parts, atol=1e-6)


def test_clipping_scales_all_gradients_by_one_factor(cpu: Device) -> None:
    ours, plain = networks(2)
    images, labels = problem()
    outcome = step(
        ours, torch.optim.SGD(ours.parameters(), 1.0), cpu, images, labels, clip_norm=0.01
    )
    nn.functional.cross_entropy(plain(images), labels).backward()
    gradients = [parameter.grad for parameter in plain.parameters() if parameter.grad is not None]
    norm = torch.cat([gradient.flatten() for gradient in gradients]).pow(2).sum().sqrt().item()
    assert outcome.gradient_norm is not None
    assert outcome.gradient_norm.item() == pytest.approx(norm, rel=1e-5)
    with torch.no_grad():
        for parameter, gradient in zip(plain.parameters(), gradients, strict=True):
            parameter.sub_(gradient * 0.01 / norm)
    assert same(ours, plain, atol=1e-6)


def test_a_gradient_below_the_limit_is_left_alone(cpu: Device) -> None:
    clipped, free = networks(2)
    images, labels = problem()
    step(clipped, torch.optim.SGD(clipped.parameters(), 0.1), cpu, images, labels, clip_norm=1e6)
    step(free, torch.optim.SGD(free.parameters(), 0.1), cpu, images, labels)
    assert same(clipped, free, atol=1e-7)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_never_reaches_the_weights(
    poison: float, clip_norm: float | None, device: Device
) -> None:
    model, untouched = networks(2)
    images, labels = problem()
    images[7, 0, 3, 3] = poison
    train_step = make_step(
        model,
        torch.optim.SGD(model.parameters(), 0.1, momentum=0.9),
        device,
        clip_norm=clip_norm,
    )
    train_step(images, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(1) == 1
    assert same(model, untouched)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop", "adadelta", "muon"])
def test_weights_stay_finite_after_a_nonfinite_step(
    name: str, device: Device, compose: Compose
) -> None:
    """Whatever the optimizer, also in the steps until the trainer reads the flag."""
    (model,) = networks(1)
    optimizer = build_optimizer(compose(f"optimizer={name}").optimizer, model)
    train_step = make_step(model, optimizer, device)
    images, labels = problem()
    for factor in (1.0, 1.0, float("nan"), 1.0, 1.0):
        train_step(factor * images, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(5) == 3
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_gradients_stay_zero_after_a_nonfinite_step(device: Device) -> None:
    """One meaning on every device: without momentum no weight moves from then on."""
    model, untouched = networks(2)
    train_step = make_step(model, torch.optim.SGD(model.parameters(), 0.1), device)
    images, labels = problem()
    for factor in (float("nan"), 1.0, 1.0):
        train_step(factor * images, labels, measure_norm=False)
    assert same(model, untouched)


class Edge(nn.Module):
    """A linear network beside a parameter at which the loss is finite and its gradient infinite."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)
        self.edge = nn.Parameter(torch.zeros(1, dtype=dtype))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.linear(images.flatten(1)) + self.edge.abs().sqrt()
        return logits


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64])
def test_a_gradient_alone_that_is_not_finite_is_found(dtype: torch.dtype, device: Device) -> None:
    model = Edge(dtype)
    images, labels = problem()
    before = model.linear.weight.clone()
    train_step = make_step(model, torch.optim.SGD(model.parameters(), 0.1), device)
    output = train_step(images, labels, measure_norm=False)
    assert output.loss.isfinite()
    assert train_step.detector.first_bad_step(1) == 1
    assert torch.equal(model.linear.weight, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex64])
def test_one_run_does_not_find_what_another_found(dtype: torch.dtype, cpu: Device) -> None:
    images, labels = problem()
    broken, (sound,) = Edge(dtype), networks(1)
    train_step = make_step(broken, torch.optim.SGD(broken.parameters(), 0.1), cpu)
    train_step(images * torch.nan, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(1) == 1
    step(sound, torch.optim.SGD(sound.parameters(), 0.1), cpu, images, labels)


def test_fp16_overflow_is_no_error_and_lowers_the_scale(cpu: Device) -> None:
    model, untouched = networks(2)
    images, labels = problem()
    scaler = GradScaler("cpu", init_scale=2.0**127)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    train_step = make_step(model, optimizer, cpu, scaler=scaler)
    train_step(1e6 * images, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(1) is None
    assert same(model, untouched)
    assert scaler.get_scale() < 2.0**127


class Table(nn.Module):
    """A network with a sparse gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Embedding(4, 10, sparse=True)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        factor = images.flatten(1).sum(1, keepdim=True)
        logits: torch.Tensor = self.rows((factor[:, 0] > 0).long()) * factor
        return logits


def test_a_sparse_gradient_is_checked(cpu: Device) -> None:
    images, labels = problem()
    model = Table()
    before = model.rows.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    step(model, optimizer, cpu, images, labels)
    assert model.rows.weight.grad is not None
    assert model.rows.weight.grad.is_sparse
    assert not torch.equal(model.rows.weight, before)
    before = model.rows.weight.detach().clone()
    train_step = make_step(model, optimizer, cpu)
    train_step(images * torch.nan, labels, measure_norm=False)
    assert train_step.detector.first_bad_step(1) == 1
    assert torch.equal(model.rows.weight, before)


def test_a_step_leaves_images_and_labels_as_they_were(cpu: Device) -> None:
    (model,) = networks(1)
    images, labels = problem()
    copies = images.clone(), labels.clone()
    step(model, torch.optim.SGD(model.parameters(), 0.1), cpu, images, labels)
    assert torch.equal(images, copies[0])
    assert torch.equal(labels, copies[1])


def test_bf16_computes_in_bf16_and_keeps_its_weights_in_float32(compose: Compose) -> None:
    device = select_device(compose("device=cpu", "device.precision=bf16").device)
    (model,) = networks(1)
    seen = []
    model.layers[1].register_forward_hook(lambda *arguments: seen.append(arguments[2].dtype))
    images, labels = problem()
    outcome = step(model, torch.optim.SGD(model.parameters(), 0.1), device, images, labels)
    assert seen == [torch.bfloat16]
    assert outcome.loss.dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
