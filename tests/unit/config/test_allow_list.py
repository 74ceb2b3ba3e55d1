"""Targets on the allow-list resolve and build; all others are refused."""

import importlib
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mnist_trainer.config.allow_list import (
    PUBLIC_CLASSES,
    PUBLIC_MODULES,
    TRUST_VARIABLE,
    code_path,
    find_targets,
    is_allowed,
)
from mnist_trainer.config.instantiate import BUILDABLE, build, locate
from mnist_trainer.config.settings import Component
from mnist_trainer.config.shipped import config_dir, group_names
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.build import build_model
from mnist_trainer.training.tracking.tracker import Tracker
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


SHIPPED = sorted(
    {
        str(target)
        for group in group_names()
        for path in (config_dir() / group).glob("*.yaml")
        for _, target in find_targets(
            OmegaConf.to_container(OmegaConf.load(path), resolve=False), path.stem
        )
    }
)
MODEL_MODULES = ("convnet", "convolutional", "dense")


@pytest.mark.parametrize("target", SHIPPED)
def test_shipped_targets_resolve(target: str) -> None:
    assert is_allowed(target)
    found = locate(target, "x")
    assert isinstance(found, type)
    assert issubclass(found, (*BUILDABLE, Tracker))


def public_classes(module: str) -> dict[str, str]:
    """Name to code path of the classes that a module defines and a configuration may build."""
    return {
        name: f"{module}.{name}"
        for name, found in vars(importlib.import_module(module)).items()
        if isinstance(found, type) and issubclass(found, BUILDABLE)
        if found.__module__ == module and not name.startswith("_")
    }


@pytest.mark.parametrize("public", PUBLIC_MODULES)
def test_every_class_has_a_public_name(public: str) -> None:
    classes = public_classes(PUBLIC_MODULES[public])
    assert classes
    assert {name: code_path(f"{public}.{name}") for name in classes} == classes
    assert all(is_allowed(f"{public}.{name}") for name in classes)


def test_every_model_has_a_public_name() -> None:
    classes: dict[str, str] = {}
    for module in MODEL_MODULES:
        classes |= public_classes(f"mnist_trainer.models.{module}")
    del classes["ConvolutionalNetwork"]  # The base class of the others.
    models = {n: path for n, path in PUBLIC_CLASSES.items() if n.startswith("mnist_trainer.models")}
    assert {f"mnist_trainer.models.{n}": path for n, path in classes.items()} == models


@pytest.mark.parametrize("target", HOSTILE)
def test_a_target_off_the_list_is_refused(target: str) -> None:
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


# On the list by their spelling, because the module holds such a name.
@pytest.mark.parametrize(
    "name", ["partial", "wraps", "Counter", "SupportsFloat", "TypedDict", "cast"]
)
def test_imports_of_a_module_are_not_admitted(name: str) -> None:
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


def test_a_constructor_error_is_a_configuration_error() -> None:
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
