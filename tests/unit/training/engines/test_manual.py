"""The engines without automatic differentiation against the one with it."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.compute.device import Device
from mnist_trainer.errors import ConfigError
from mnist_trainer.models import losses
from mnist_trainer.models.activations import ACTIVATIONS as NAMES
from mnist_trainer.models.convolutional import CNN
from mnist_trainer.models.dense import FCN, Linear, TwoLayer
from mnist_trainer.training.engines.select import make_engine

CPU = Device(torch.device("cpu"), "fp32", torch.channels_last, "cpu")
BY_HAND = ("manual", "numpy")
MODELS: dict[str, Callable[[str], nn.Module]] = {
    "linear": lambda _: Linear(10),
    "two_layer": lambda activation: TwoLayer(16, activation, 0.0, 10),
    "fcn": lambda activation: FCN([24, 16, 12], activation, 0.0, 10),
}
LOSSES: dict[str, nn.Module] = {
    "cross_entropy": nn.CrossEntropyLoss(),
    "smoothed": nn.CrossEntropyLoss(label_smoothing=0.1),
    "nll": losses.NLL(),
    "mse": losses.MSE("softmax"),
    "mse of logits": losses.MSE("logits"),
    "poly": losses.Poly1(2.0),
    "poly_n": losses.PolyN([1.0, 0.5, -0.2]),
    "poly_series": losses.PolySeries(4),
    "focal": losses.Focal(2.0),
}


def batch(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(count, 1, 28, 28, generator=generator).contiguous(
        memory_format=torch.channels_last
    )
    return images, torch.randint(0, 10, (count,), generator=generator)


def backpropagated(
    engine: str,
    make_model: Callable[[], nn.Module],
    criterion: nn.Module,
    images: Tensor,
    labels: Tensor,
    loss_weight: float = 1.0,
) -> tuple[Tensor, Tensor, list[Tensor | None]]:
    """Loss, logits and gradients, from the same weights and the same random numbers each time."""
    torch.manual_seed(0)
    model = make_model().train().to(images.dtype)
    loss, logits = make_engine(engine, model, criterion, CPU.grad_scaler(), CPU).backpropagate(
        images, labels, loss_weight
    )
    return loss, logits, [parameter.grad for parameter in model.parameters()]


def assert_same_as_autograd(
    engine: str,
    make_model: Callable[[], nn.Module],
    criterion: nn.Module,
    count: int = 6,
    loss_weight: float = 1.0,
) -> None:
    """In float64, where what rounding leaves cannot be taken for a mistake, nor a mistake for
    rounding."""
    images, labels = batch(count)
    images = images.double()
    loss, logits, gradients = backpropagated(
        engine, make_model, criterion, images, labels, loss_weight
    )
    expected_loss, expected_logits, expected = backpropagated(
        "autograd", make_model, criterion, images, labels, loss_weight
    )
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-12)
    torch.testing.assert_close(logits, expected_logits, rtol=1e-9, atol=1e-12)
    assert not logits.requires_grad
    assert any(gradient is not None and gradient.abs().max() > 1e-4 for gradient in expected)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None and theirs is not None:
            assert ours.dtype == theirs.dtype
            assert ours.stride() == theirs.stride()
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("engine", BY_HAND)
def test_in_the_precision_of_training_the_gradients_differ_by_rounding(engine: str) -> None:
    images, labels = batch(64)
    loss, _, gradients = backpropagated(
        engine, lambda: MODELS["fcn"]("relu"), nn.CrossEntropyLoss(), images, labels
    )
    _, _, expected = backpropagated(
        "autograd", lambda: MODELS["fcn"]("relu"), nn.CrossEntropyLoss(), images, labels
    )
    assert loss.dtype == torch.float32
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype == torch.float32
        assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()


@pytest.mark.parametrize("engine", BY_HAND)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("model", "activation"), [("linear", "relu"), *itertools.product(("two_layer", "fcn"), NAMES)]
)
def test_gradients_are_those_of_autograd(
    engine: str, model: str, activation: str, loss: str
) -> None:
    assert_same_as_autograd(engine, lambda: MODELS[model](activation), LOSSES[loss])


@pytest.mark.parametrize("engine", BY_HAND)
@pytest.mark.parametrize("count", [1, 2, 37])
def test_whatever_the_size_of_the_batch(engine: str, count: int) -> None:
    assert_same_as_autograd(engine, lambda: MODELS["fcn"]("tanh"), nn.CrossEntropyLoss(), count)


@pytest.mark.parametrize("engine", BY_HAND)
def test_without_biases(engine: str) -> None:
    def make_model() -> nn.Module:
        model = FCN([24, 16], "relu", 0.0, 10)
        model.layers[1], model.layers[5] = (
            nn.Linear(784, 24, bias=False),
            nn.Linear(16, 10, bias=False),
        )
        return model

    assert_same_as_autograd(engine, make_model, nn.CrossEntropyLoss())


@pytest.mark.parametrize("engine", BY_HAND)
def test_dropout_drops_the_units_that_autograd_would_drop(engine: str) -> None:
    assert_same_as_autograd(engine, lambda: FCN([24, 16], "relu", 0.4, 10), nn.CrossEntropyLoss())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_on_a_gpu_too(dropout: float) -> None:
    device = Device(torch.device("cuda"), "fp32", torch.channels_last, "cuda")
    images, labels = (tensor.cuda() for tensor in batch(37))
    gradients = []
    for name in ("autograd", "manual"):
        torch.manual_seed(0)
        model = FCN([24, 16], "gelu", dropout, 10).cuda().train()
        engine = make_engine(name, model, nn.CrossEntropyLoss(), device.grad_scaler(), device)
        loss, _ = engine.backpropagate(images, labels, 1.0)
        assert loss.device.type == "cuda"
        gradients.append([parameter.grad for parameter in model.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("engine", BY_HAND)
def test_a_share_scales_loss_and_gradients(engine: str) -> None:
    assert_same_as_autograd(
        engine, lambda: MODELS["two_layer"]("relu"), nn.CrossEntropyLoss(), loss_weight=0.25
    )


@pytest.mark.parametrize("engine", BY_HAND)
def test_a_parameter_that_is_not_trained_gets_no_gradient(engine: str) -> None:
    def make_model() -> nn.Module:
        model = FCN([24, 16], "relu", 0.0, 10)
        model.layers[1].weight.requires_grad_(False)
        return model

    assert_same_as_autograd(engine, make_model, nn.CrossEntropyLoss())


@pytest.mark.parametrize("engine", BY_HAND)
def test_gradients_add_up_until_they_are_cleared(engine: str) -> None:
    torch.manual_seed(0)
    model = MODELS["fcn"]("relu")
    by_hand = make_engine(engine, model, nn.CrossEntropyLoss(), CPU.grad_scaler(), CPU)
    images, labels = batch(5)
    by_hand.backpropagate(images, labels, 1.0)
    once = [
        parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None
    ]
    by_hand.backpropagate(images, labels, 1.0)
    twice = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(torch.equal(2 * a, b) for a, b in zip(once, twice, strict=True))


@pytest.mark.parametrize("engine", BY_HAND)
def test_it_follows_every_change_of_the_weights(engine: str) -> None:
    """Updates, a loaded state: what is looked at is the model's own memory."""
    torch.manual_seed(0)
    model, other = MODELS["fcn"]("relu"), MODELS["fcn"]("relu")
    by_hand = make_engine(engine, model, nn.CrossEntropyLoss(), CPU.grad_scaler(), CPU)
    images, labels = batch(5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, fused=True)
    changes: list[Callable[[], object]] = [
        lambda: model.load_state_dict(other.state_dict()),
        optimizer.step,
    ]
    for change in changes:
        before = by_hand.backpropagate(images, labels, 1.0)[0].item()
        change()
        loss = by_hand.backpropagate(images, labels, 1.0)[0].item()
        assert loss != before
        assert loss == pytest.approx(
            nn.functional.cross_entropy(model(images), labels).item(), rel=1e-5
        )


def test_no_graph_is_built_and_numpy_computes_with_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engines promise: no autograd; and in NumPy no matrix product by PyTorch."""
    torch.manual_seed(0)
    model = MODELS["fcn"]("relu")
    engine = make_engine("numpy", model, nn.CrossEntropyLoss(), CPU.grad_scaler(), CPU)
    assert all(isinstance(layer.W, np.ndarray) for layer in engine.layers)  # type: ignore[attr-defined]

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("PyTorch was asked to compute")

    for name in ("__matmul__", "backward", "argmax", "exp"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    loss, _ = engine.backpropagate(*batch(5), 1.0)
    assert loss.grad_fn is None
    monkeypatch.undo()
    monkeypatch.setattr(torch.Tensor, "backward", refuse)
    loss, _ = make_engine(
        "manual", model, nn.CrossEntropyLoss(), CPU.grad_scaler(), CPU
    ).backpropagate(*batch(5), 1.0)
    assert loss.grad_fn is None


@pytest.mark.parametrize("engine", BY_HAND)
def test_numbers_that_overflow_make_no_noise_but_are_not_finite(
    engine: str, recwarn: pytest.WarningsRecorder
) -> None:
    torch.manual_seed(0)
    model = Linear(10)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3e38)
    loss, _ = make_engine(
        engine, model, nn.CrossEntropyLoss(), CPU.grad_scaler(), CPU
    ).backpropagate(*batch(5), 1.0)
    assert not loss.isfinite()
    assert not recwarn.list


class OwnFCN(FCN):
    """A user's class, that may compute anything."""


def normalized() -> nn.Module:
    model = FCN([24], "relu", 0.0, 10)
    model.layers.insert(2, nn.BatchNorm1d(24))
    return model


@pytest.mark.parametrize("engine", BY_HAND)
@pytest.mark.parametrize(
    ("model", "criterion", "said"),
    [
        (
            CNN([4], 5, 0, 2, [], "relu", 0.0, 10),
            nn.CrossEntropyLoss(),
            "CNN.*linear, two_layer, fcn",
        ),
        (OwnFCN([4], "relu", 0.0, 10), nn.CrossEntropyLoss(), "OwnFCN.*linear, two_layer, fcn"),
        (normalized(), nn.CrossEntropyLoss(), "layer BatchNorm1d"),
        (Linear(10), nn.MultiMarginLoss(), "loss MultiMarginLoss.*cross_entropy"),
        (Linear(10), nn.CrossEntropyLoss(weight=torch.ones(10)), "loss CrossEntropyLoss"),
        (Linear(10), nn.CrossEntropyLoss(reduction="sum"), "loss CrossEntropyLoss"),
    ],
    ids=["cnn", "own class", "batch norm", "loss", "weighted loss", "summed loss"],
)
def test_what_it_has_no_formula_for_is_refused(
    engine: str, model: nn.Module, criterion: nn.Module, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        make_engine(engine, model, criterion, CPU.grad_scaler(), CPU)
