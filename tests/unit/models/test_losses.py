"""Loss modules: equal to their formulas, float32 under autocast, and able to train."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mnist_trainer.compute.device import Device, select_device
from mnist_trainer.config.settings import Component
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_loss
from mnist_trainer.models.dense import FCN
from mnist_trainer.models.formulas.losses import CrossEntropy, one_hot
from mnist_trainer.models.losses import (
    MSE,
    NLL,
    Distill,
    Focal,
    Poly1,
    PolyN,
    PolySeries,
    formula_of,
)
from mnist_trainer.training.evaluation import averaged_logits, evaluate
from tests.conftest import Compose

CRITERIA: dict[str, nn.Module] = {
    "cross_entropy": nn.CrossEntropyLoss(label_smoothing=0.1),
    "nll": NLL(),
    "mse": MSE("softmax"),
    "mse of logits": MSE("logits"),
    "poly": Poly1(2.0),
    "poly_n": PolyN([1.0, -0.5]),
    "poly_series": PolySeries(5),
    "focal": Focal(2.0),
    "focal of 1/2": Focal(0.5),
}


def batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(16, 10, generator=generator, dtype=torch.float64)
    return logits.to(dtype).requires_grad_(), torch.randint(0, 10, (16,), generator=generator)


@pytest.mark.parametrize("name", CRITERIA)
def test_module_and_gradient_equal_the_formula(name: str) -> None:
    logits, labels = batch(torch.float64)
    formula = formula_of(CRITERIA[name])
    assert formula is not None
    loss = CRITERIA[name](logits, labels)
    loss.backward()
    y = one_hot(torch, labels, logits)
    assert torch.allclose(loss, formula.value(torch, logits, y), rtol=1e-14)
    assert logits.grad is not None
    assert torch.allclose(logits.grad, formula.gradient(torch, logits, y), rtol=0, atol=1e-14)


def test_nll_equals_cross_entropy_bitwise() -> None:
    logits, labels = batch()
    assert torch.equal(NLL()(logits, labels), F.cross_entropy(logits, labels))


def test_neutral_options_give_cross_entropy() -> None:
    logits, labels = batch()
    for criterion in (Poly1(0.0), PolyN([0.0, 0.0]), Focal(0.0)):
        assert torch.allclose(criterion(logits, labels), F.cross_entropy(logits, labels))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", CRITERIA)
def test_half_precision_logits_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    # The largest logits of fp16 are 65,504: their exponentials and squares exist in no 16 bits.
    logits = torch.tensor(
        [[60_000.0, -60_000, 0], [1, 2, 3], [0, 0, 0]], dtype=dtype, requires_grad=True
    )
    labels = torch.tensor([1, 2, 0])
    with torch.autocast("cpu", dtype=dtype):
        loss = CRITERIA[name](logits, labels)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert torch.allclose(loss, CRITERIA[name](logits.detach().float(), labels), rtol=1e-6)


@pytest.mark.parametrize("name", CRITERIA)
def test_confident_predictions_have_finite_gradients(name: str) -> None:
    logits = torch.tensor([[500.0, 0, 0], [0, 500, 0]], requires_grad=True)
    CRITERIA[name](logits, torch.tensor([0, 0])).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("name", "precision", "translations"),
    [
        (name, *way)
        for name in CRITERIA
        for way in (("fp32", 1), ("fp32", 3), ("bf16", 1))
        if (name, way) != ("mse of logits", ("fp32", 3))  # Refused: averaged views have no logits.
    ],
)
def test_evaluation_reports_the_configured_loss(
    name: str, precision: str, translations: int, compose: Compose
) -> None:
    device: Device = select_device(compose("device=cpu", f"device.precision={precision}").device)
    model = FCN([16], "relu", 0.0, 10)
    generator = torch.Generator().manual_seed(3)
    images, labels = (
        torch.randn(30, 1, 28, 28, generator=generator),
        torch.randint(0, 10, (30,), generator=generator),
    )
    reported = evaluate(
        model, CRITERIA[name], device, images, labels, batch_size=7, translations=translations
    ).loss
    with torch.no_grad(), device.autocast():
        logits = averaged_logits(model.eval(), images, translations).float()
    assert math.isfinite(reported)
    assert reported == pytest.approx(
        CRITERIA[name](logits, labels).item(), rel=1e-5 if precision == "fp32" else 2e-2
    )


@pytest.mark.parametrize("choice", group_choices("loss"))
def test_every_loss_trains(choice: str, compose: Compose, some_images: LabelledImages) -> None:
    """A small network memorizes 640 images with any of the losses."""
    torch.manual_seed(0)
    criterion = build_loss(compose(f"loss={choice}").loss)
    model = FCN([64], "relu", 0.0, 10, init="matched")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images, labels = (some_images.images.float() / 255 - 0.1307) / 0.3081, some_images.labels
    first = criterion(model(images), labels).item()
    for step in range(150):
        part = slice(step % 10 * 64, step % 10 * 64 + 64)
        optimizer.zero_grad()
        criterion(model(images[part]), labels[part]).backward()
        optimizer.step()
    last, accuracy = (
        criterion(model(images), labels).item(),
        (model(images).argmax(1) == labels).double().mean().item(),
    )
    assert last < first / 4
    assert accuracy > 0.95


def test_cross_entropy_is_pytorchs_kernel(compose: Compose) -> None:
    assert type(build_loss(compose().loss)) is nn.CrossEntropyLoss


def test_foreign_loss_has_no_formula() -> None:
    assert formula_of(nn.CrossEntropyLoss(label_smoothing=0.2)) == CrossEntropy(0.2)
    for other in (
        nn.CrossEntropyLoss(weight=torch.ones(10)),
        nn.CrossEntropyLoss(reduction="sum"),
        nn.MultiMarginLoss(),
    ):
        assert formula_of(other) is None


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        ("Poly1", {"epsilon": -1.5}, "loss.epsilon: -1.5 at place 1 must be at least -1"),
        ("PolyN", {"epsilons": [1, -0.6]}, "-0.6 at place 2 must be at least -1/2"),
        ("PolyN", {"epsilons": [float("nan")]}, "nan at place 1"),
        ("PolyN", {"epsilons": []}, "loss=cross_entropy"),
        ("PolySeries", {"terms": 0}, "at least 1"),
        ("Focal", {"gamma": -0.1}, "at least 0"),
        ("MSE", {"of": "tanh"}, "softmax, logits"),
    ],
)
def test_options_out_of_range_are_refused(
    target: str, options: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        build_loss(
            Component("loss", "mine", {"_target_": f"mnist_trainer.losses.{target}", **options})
        )


def test_distillation_by_hand() -> None:
    """Two images, two classes: w CE + (1 - w) T² KL, written out."""
    logits, teacher = torch.tensor([[2.0, 0.0], [1.0, 3.0]]), torch.tensor([[4.0, 1.0], [0.0, 1.0]])
    labels, w, temperature = torch.tensor([0, 0]), 0.3, 2.0

    def softmax(row: list[float], at: float) -> list[float]:
        powers = [math.exp(z / at) for z in row]
        return [power / sum(powers) for power in powers]

    expected = 0.0
    for z, v, label in zip(logits.tolist(), teacher.tolist(), labels.tolist(), strict=True):
        p, q = softmax(z, temperature), softmax(v, temperature)
        soft = sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
        expected += (w * -math.log(softmax(z, 1)[label]) + (1 - w) * temperature**2 * soft) / 2
    criterion = Distill(None, temperature, w)
    assert criterion.distill(logits, labels, teacher).item() == pytest.approx(expected, rel=1e-5)
    assert criterion(logits, labels).item() == pytest.approx(
        torch.nn.functional.cross_entropy(logits, labels).item()
    )


def test_distillation_ends_where_the_teacher_is() -> None:
    """With the teacher's weight alone the loss and its gradient vanish at the teacher's logits."""
    teacher = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))
    logits = (teacher + 3).requires_grad_()  # A shift of all logits changes no probability.
    loss = Distill(None, 5.0, 0.0).distill(logits, torch.zeros(8, dtype=torch.int64), teacher)
    loss.backward()
    assert abs(loss.item()) < 1e-5
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-5


def test_a_high_temperature_matches_logits() -> None:
    """Hinton et al. 2015, section 2.1: there the gradient is that of half the squared difference of
    centred logits, over the number of classes."""
    generator = torch.Generator().manual_seed(1)
    teacher, start = (torch.randn(4, 10, generator=generator) for _ in range(2))
    logits = start.clone().requires_grad_()
    criterion = Distill(None, 1000.0, 0.0)
    criterion.distill(logits, torch.zeros(4, dtype=torch.int64), teacher).backward()
    centred = [each - each.mean(dim=1, keepdim=True) for each in (start, teacher)]
    assert logits.grad is not None
    assert torch.allclose(logits.grad, (centred[0] - centred[1]) / 10 / 4, atol=1e-4)
