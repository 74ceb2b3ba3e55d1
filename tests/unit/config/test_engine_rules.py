"""Settings that each engine supports."""

import pytest
import torch

from mnist_trainer.compute.device import select_device
from mnist_trainer.config.engine_rules import BY_HAND, device_for
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.training.engines.select import make_engine
from tests.conftest import Compose


@pytest.mark.parametrize("engine", BY_HAND)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model=cnn",), "model=cnn .*It can do: model=linear, model=two_layer, model=fcn"),
        (("model=lenet5",), "model=lenet5"),
        (("model=convnet",), "model=convnet"),
        (
            ("model=fcn", "loss._target_=torch.nn.NLLLoss", "~loss.label_smoothing"),
            r"loss=.*torch\.nn\.NLLLoss.*loss=cross_entropy",
        ),
        (("model=fcn", "loss=distill"), "loss=distill .*trainer.engine=autograd"),
        (("model=fcn", "device.precision=bf16"), "device.precision=bf16 .*device.precision=auto"),
        (("model=fcn", "device.precision=mixed"), "device.precision=mixed"),
        (("model=fcn", "device=cuda", "device.graph=true"), "device.graph=true"),
        (
            ("model=fcn", "trainer.adversary.epsilon=0.3"),
            "trainer.adversary.epsilon=0.3 .*trainer.adversary.epsilon=null",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_unsupported_settings_name_the_supported(
    engine: str, words: tuple[str, ...], said: str, compose: Compose
) -> None:
    with pytest.raises(ConfigError, match=f"trainer.engine={engine}: .*{said}"):
        compose(f"trainer.engine={engine}", *words)


@pytest.mark.parametrize("choice", [each for each in group_choices("loss") if each != "distill"])
def test_engines_support_every_shipped_loss(choice: str, compose: Compose) -> None:
    config = compose("trainer.engine=numpy", "model=fcn", f"loss={choice}")
    device = select_device(device_for("numpy", config.device))
    model, criterion = build_model(config.model, 10), build_loss(config.loss)
    engine = make_engine("numpy", model, criterion, device.grad_scaler(), device)
    loss, _ = engine.backpropagate(torch.zeros(2, 1, 28, 28), torch.tensor([3, 5]), 1.0)
    assert loss.item() == pytest.approx(
        criterion(model(torch.zeros(2, 1, 28, 28)), torch.tensor([3, 5])).item(), rel=1e-5
    )


def test_numpy_refuses_gpus_and_manual_does_not(compose: Compose) -> None:
    for device in ("cuda", "mps"):
        with pytest.raises(ConfigError, match=f"not on device={device}.*device=cpu"):
            compose("trainer.engine=numpy", "model=fcn", f"device={device}")
        assert (
            compose("trainer.engine=manual", "model=fcn", f"device={device}").device.type == device
        )


def test_all_unsupported_settings_are_named(compose: Compose) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("trainer.engine=numpy", "device=cuda", "device.precision=fp16", "device.graph=true")
    assert len(str(caught.value).splitlines()) == 4


def test_autograd_changes_no_setting(compose: Compose) -> None:
    device = compose(
        "model=cnn", "device=cuda", "device.precision=bf16", "device.graph=true"
    ).device
    assert device_for("autograd", device) is device


@pytest.mark.parametrize(("engine", "kind"), [("manual", "auto"), ("numpy", "cpu")])
def test_auto_is_resolved_for_the_engine(engine: str, kind: str, compose: Compose) -> None:
    device = device_for(engine, compose(f"trainer.engine={engine}", "model=fcn").device)
    assert (device.type, device.precision, device.graph) == (kind, "fp32", False)
    assert device.threads == (1 if engine == "numpy" else None)
    asked = device_for(
        engine, compose(f"trainer.engine={engine}", "model=fcn", "device.threads=2").device
    )
    assert asked.threads == 2
