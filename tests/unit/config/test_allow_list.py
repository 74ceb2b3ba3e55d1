"""What a configuration may name, and what it may not: nothing else ever runs."""

from pathlib import Path

import pytest

from mnist_trainer.config.allow_list import TRUST_VARIABLE, is_allowed
from mnist_trainer.config.instantiate import build
from mnist_trainer.config.settings import Component
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_model
from tests.conftest import Compose

HOSTILE = [
    "os.system",
    "builtins.open",
    "builtins.eval",
    "subprocess.run",
    "torch.hub.load",
    "torch.load",
    "torch.nn.modules.module.os.system",
    "torch.nn.init.warnings.warn",
    "torch.optim.lr_scheduler.types.FunctionType",
    "mnist_trainer.models.convolutional.Sequence",
    "mnist_trainer.config.instantiate.instantiate",
    "hydra.utils.get_method",
    "torch.nn",
    "",
    "torch.nn.",
    "torch.nn.Linear\n",
]


@pytest.mark.parametrize("target", HOSTILE)
def test_a_target_off_the_list_is_refused_by_its_spelling(target: str) -> None:
    assert not is_allowed(target)


@pytest.mark.parametrize("group", ["model", "loss", "optimizer", "scheduler"])
@pytest.mark.parametrize("target", ["os.system", "builtins.open"])
def test_a_hostile_target_is_refused_in_every_group(
    group: str, target: str, compose: Compose
) -> None:
    with pytest.raises(ConfigError, match="not on the list"):
        compose(f"{group}._target_={target}")


def test_a_hostile_target_is_refused_below_another(compose: Compose) -> None:
    with pytest.raises(ConfigError, match="not on the list"):
        compose("+model.extra={_target_:os.system,command:id}")
    with pytest.raises(ConfigError, match="not on the list"):
        compose("transforms.random=[{_target_:os.system}]")


# On the list by their spelling, because the module holds such a name; but not what the list is for.
@pytest.mark.parametrize(
    "name", ["partial", "wraps", "Counter", "SupportsFloat", "TypedDict", "cast"]
)
def test_what_a_module_imports_for_itself_is_not_admitted(name: str) -> None:
    component = Component("scheduler", "x", {"_target_": f"torch.optim.lr_scheduler.{name}"})
    with pytest.raises(ConfigError):
        build(component, object)


def test_the_kind_of_a_target_must_fit_its_group() -> None:
    with pytest.raises(ConfigError, match="must be a torch"):
        build_model(Component("model", "x", {"_target_": "torch.optim.SGD"}), 10)


def test_nested_modules_of_torch_build() -> None:
    layers = [
        {"_target_": "torch.nn.Flatten"},
        {"_target_": "torch.nn.Linear", "in_features": 784, "out_features": 10},
    ]
    model = build_model(
        Component("model", "x", {"_target_": "torch.nn.Sequential", "_args_": layers}), 10
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 7850


def test_an_unknown_option_of_a_foreign_class_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean model\.out_features"):
        build_model(
            Component(
                "model", "x", {"_target_": "torch.nn.Linear", "in_features": 3, "out_feature": 3}
            ),
            10,
        )


def test_a_constructor_that_refuses_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="refuses its options"):
        build_model(Component("model", "x", {"_target_": "torch.nn.Dropout", "p": 3}), 10)


def test_only_the_environment_admits_a_users_own_class(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "my_nets"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from os import system\nfrom torch import nn\nclass Net(nn.Linear):\n    def __init__(self,"
        " width, num_classes):\n        super().__init__(width, num_classes)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    component = Component("model", "mine", {"_target_": "my_nets.Net", "width": 784})
    with pytest.raises(ConfigError, match=f"{TRUST_VARIABLE}=my_package"):
        build_model(component, 10)
    monkeypatch.setenv(TRUST_VARIABLE, "other, my_nets")
    assert build_model(component, 7).out_features == 7
    with pytest.raises(ConfigError, match="not on the list"):
        build_model(Component("model", "mine", {"_target_": "my_nets.system"}), 10)
