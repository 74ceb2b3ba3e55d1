"""The gradient check covers every formula, passes, and fails for a wrong one."""

import pytest

from mnist_trainer import gradient_check
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.models.activations import ACTIVATIONS as MODULES
from mnist_trainer.models.formulas.activations import ACTIVATIONS, Activation
from mnist_trainer.models.formulas.losses import NegativeLogLikelihood, Poly


def test_every_activation_and_loss_is_checked_and_passes() -> None:
    activations, losses = (
        list(gradient_check.check_activations()),
        list(gradient_check.check_losses()),
    )
    assert [check.name for check in activations] == list(ACTIVATIONS) == list(MODULES)
    by_hand = set(group_choices("loss")) - {"distill"}  # For autograd alone.
    assert {check.name.partition(" ")[0] for check in losses} == by_hand
    assert [check.name for check in [*activations, *losses] if not check.passes] == []


def test_wrong_derivative_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = ACTIVATIONS["sigmoid"]
    wrong = Activation(right.value, lambda xp, z: right.derivative(xp, z) * 1.001)
    monkeypatch.setitem(ACTIVATIONS, "sigmoid", wrong)
    with pytest.raises(SystemExit) as ended:
        gradient_check.main()
    assert ended.value.code == 1
    wrong_lines = [
        line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith("WRONG")
    ]
    assert wrong_lines == ["sigmoid"]


def test_wrong_loss_weight_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Poly, "weight", NegativeLogLikelihood.weight)
    assert {
        check.name.partition(" ")[0] for check in gradient_check.check_losses() if not check.passes
    } == {"poly", "poly_n"}
