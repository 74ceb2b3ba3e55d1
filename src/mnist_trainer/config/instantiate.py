"""From a configured component to an object: the only caller of Hydra's ``instantiate``."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_trainer.config.allow_list import (
    code_path,
    find_targets,
    is_trusted,
    refusal,
    refused_targets,
)
from mnist_trainer.config.settings import Component
from mnist_trainer.errors import ConfigError
from mnist_trainer.system.memory import is_out_of_memory
from mnist_trainer.system.messages import unknown_key

BUILDABLE = (nn.Module, Optimizer, LRScheduler)


def build(component: Component, kind: type, **run_time: Any) -> Any:
    """Build one component.

    Args:
        component: the class by name, and its configured options.
        kind: what the class must be a subclass of; a function of a trusted package must return an
            instance of it.
        run_time: values known only now; each is passed where the class has a parameter of that
            name.

    Raises:
        ConfigError: the target is not admitted, not of the kind, or refuses its options.
    """
    group = component.group
    if problems := refused_targets(component.node, group):
        raise refusal(problems)
    for key, target in find_targets(component.node, group):
        _check(
            key,
            str(target),
            locate(str(target), key),
            kind if target == component.target else object,
        )
    constructor = locate(component.target, f"{group}._target_")
    parameters = _parameters(constructor)
    if parameters is not None:
        known = [name for name in parameters if name not in run_time]
        if unknown := [
            key for key in component.options if key not in parameters and not key.startswith("_")
        ]:
            raise ConfigError("\n".join(unknown_key(f"{group}.{key}", known) for key in unknown))
        run_time = {name: value for name, value in run_time.items() if name in parameters}
    try:
        located = {**with_code_paths(component.node), "_partial_": True, "_convert_": "all"}
        built = instantiate(located)(**run_time)
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError, HydraException) as error:
        if is_out_of_memory(error.__cause__ or error):
            raise MemoryError from error
        # Whatever else a constructor says of its arguments is a message about the configuration.
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(
            f"{group}={component.choice} ({component.target}) refuses its options: {reason[0]}"
        ) from error
    if not isinstance(built, kind):
        raise ConfigError(
            f"{group}._target_={component.target}: gives a {type(built).__name__}, not a"
            f" {kind.__name__}."
        )
    return built


def with_code_paths(node: Any) -> Any:
    """The node with every ``_target_`` as the path of the code, its public name resolved."""
    if isinstance(node, Mapping):
        return {
            key: code_path(str(value)) if key == "_target_" else with_code_paths(value)
            for key, value in node.items()
        }
    return [with_code_paths(each) for each in node] if isinstance(node, list) else node


def locate(target: str, key: str) -> Callable[..., Any]:
    """The object behind an admitted target.

    Raises:
        ConfigError: there is no such module, or no such name in it.
    """
    module_name, _, name = code_path(target).rpartition(".")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{key}={target}: {error}") from error
    return found


def _check(key: str, target: str, found: object, kind: type) -> None:
    """A name on the list may still lead elsewhere, because modules import things for their own use:
    look at what it is."""
    if is_trusted(target):
        admitted = is_trusted(str(getattr(found, "__module__", ""))) or (
            isinstance(found, type) and issubclass(found, BUILDABLE)
        )
    else:
        admitted = isinstance(found, type) and issubclass(found, BUILDABLE)
    if not admitted or not callable(found):
        raise refusal(
            [
                f"{key}={target} is not on the list: it leads to"
                f" {getattr(found, '__module__', found)}"
            ]
        )
    if isinstance(found, type) and not issubclass(found, kind):
        raise ConfigError(f"{key}={target}: must be a {kind.__module__}.{kind.__name__}")


def _parameters(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The named parameters; None where the constructor takes any."""
    parameters = dict(inspect.signature(constructor).parameters)
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return parameters
