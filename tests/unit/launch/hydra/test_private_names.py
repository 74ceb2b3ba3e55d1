"""Private interfaces of Hydra: a version without one of them fails here, by name."""

import importlib

import pytest

PRIVATE = [
    ("hydra._internal.callbacks", "Callbacks"),
    ("hydra._internal.utils", "get_args_parser"),
    ("hydra.core.singleton", "Singleton._instances"),
    ("omegaconf.basecontainer", "BaseContainer._resolvers"),
]


@pytest.mark.parametrize(("module", "name"), PRIVATE)
def test_private_name_of_hydra_exists(module: str, name: str) -> None:
    owner: object = importlib.import_module(module)
    for part in name.split("."):
        owner = getattr(owner, part, None)
    assert owner is not None, f"this version of Hydra has no {module}.{name}: see hydra/private.py"
