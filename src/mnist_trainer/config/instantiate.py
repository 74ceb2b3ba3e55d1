"""Build a configured component: the only caller of Hydra's ``instantiate``."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from hydra.errors import HydraException
from hydra.utils import instantiate
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_trainer.config.allow_list import (
    PUBLIC_CLASSES,
    TRUST_VARIABLE,
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

T = TypeVar("T")
RUN_TIME = (
    *("num_classes", "image_size", "params", "optimizer", "capturable", "last_epoch"),
    *("steps_per_epoch", "total_steps"),
)
"""Parameters that the run passes, or that are part of its state."""
BUILDABLE = (nn.Module, Optimizer, LRScheduler)


def build(component: Component, kind: type[T], **run_time: Any) -> T:
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
        _check_admitted(key, str(target), locate(str(target), key))
    constructor = locate(component.target, f"{group}._target_")
    if isinstance(constructor, type) and not issubclass(constructor, kind):
        raise ConfigError(
            f"{group}._target_={component.target}: must be a {kind.__module__}.{kind.__name__}"
        )
    values = _select_values(component, constructor, run_time)
    try:
        located = {**with_code_paths(component.node), "_partial_": True, "_convert_": "all"}
        built = instantiate(located)(**values)
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError, HydraException) as error:
        if is_out_of_memory(error.__cause__ or error):
            raise MemoryError from error
        # Whatever else a constructor says of its arguments is a message about the configuration.
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        asked = f"{group}={component.choice} ({component.target})"
        raise ConfigError(f"{asked} refuses its options: {reason[0]}") from error
    if not isinstance(built, kind):
        raise ConfigError(
            f"{group}._target_={component.target}: gives a {type(built).__name__}, not a"
            f" {kind.__name__}."
        )
    return built


def with_code_paths(node: Any) -> Any:
    """The node with the code path of every ``_target_``."""
    if isinstance(node, Mapping):
        return {
            key: code_path(str(value)) if key == "_target_" else with_code_paths(value)
            for key, value in node.items()
        }
    return [with_code_paths(each) for each in node] if isinstance(node, list) else node


def locate(target: str, key: str) -> Callable[..., Any]:
    """Import the object that an admitted target names.

    Raises:
        ConfigError: there is no such module, or no such name in it.
    """
    module_name, _, name = code_path(target).rpartition(".")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        package = target.partition(".")[0]
        hint = ""
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            # The working directory is not searched, unless Python is told to.
            hint = (
                f". Install it, or say where it lies, such as here: PYTHONPATH=."
                f" {TRUST_VARIABLE}={package} mnist-train ..."
            )
        raise ConfigError(f"{key}={target}: {error}{hint}") from error
    return found


def option_names(target: str) -> list[str]:
    """Named parameters of an admitted class that a configuration may set.

    The first belongs to the run (the parameters of an optimizer, the optimizer of a scheduler), as
    do those that are known only at run time.
    """
    parameters = list(inspect.signature(locate(target, "_target_")).parameters.values())
    named = [each.name for each in parameters if each.default is not inspect.Parameter.empty]
    return [name for name in named if name not in RUN_TIME]


def _check_admitted(key: str, target: str, found: object) -> None:
    """Check the object that an admitted name leads to: modules import things for their own use."""
    origin = str(getattr(found, "__module__", found))
    is_buildable = isinstance(found, type) and issubclass(found, BUILDABLE)
    is_own = is_trusted(target) and is_trusted(origin)
    if not callable(found) or not (is_buildable or is_own or target in PUBLIC_CLASSES):
        raise refusal([f"{key}={target} is not on the list: it leads to {origin}"])


def _select_values(
    component: Component, constructor: Callable[..., Any], run_time: dict[str, Any]
) -> dict[str, Any]:
    """Select the run-time values that the constructor has a parameter for.

    Raises:
        ConfigError: a configured option is none of its parameters.
    """
    parameters = inspect.signature(constructor).parameters
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return run_time
    known = [name for name in parameters if name not in run_time]
    options = [key for key in component.options if not key.startswith("_")]
    if unknown := [key for key in options if key not in parameters]:
        keys = [f"{component.group}.{key}" for key in unknown]
        raise ConfigError("\n".join(unknown_key(key, known) for key in keys))
    return {name: value for name, value in run_time.items() if name in parameters}
