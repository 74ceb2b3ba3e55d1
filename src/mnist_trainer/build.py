"""From a configured component to an object: the only caller of Hydra's ``instantiate``."""

import importlib
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_trainer.errors import ConfigError
from mnist_trainer.faults import is_out_of_memory
from mnist_trainer.lean_optimizer import leave_compiler_out
from mnist_trainer.settings import Component
from mnist_trainer.targets import find_targets, is_trusted, refusal, refused_targets
from mnist_trainer.transforms import Transforms
from mnist_trainer.wording import unknown_key

BUILDABLE = (nn.Module, Optimizer, LRScheduler)


def build_model(component: Component, num_classes: int, image_size: int = 28) -> nn.Module:
    """The network: images (N, 1, image_size, image_size) to logits (N, num_classes)."""
    model: nn.Module = build(component, nn.Module, num_classes=num_classes, image_size=image_size)
    return model


def build_loss(component: Component) -> nn.Module:
    """The loss: logits (N, C) and labels (N,) to their mean over the batch, a scalar."""
    loss: nn.Module = build(component, nn.Module)
    return loss


def build_optimizer(component: Component, model: nn.Module, *, capturable: bool = False) -> Optimizer:
    """The optimizer of all parameters that are trained, fused into one kernel where PyTorch has one.

    Args:
        capturable: all of its state is to be on the device, so that a CUDA graph can hold its step.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ConfigError(f"model={component.choice}: it has no parameters to train.")
    if "differentiable" not in component.options and refused_targets(component.node, "optimizer") == []:
        located: Any = locate(component.target, "optimizer._target_")
        leave_compiler_out(located)
    fusible = not {"fused", "foreach", "differentiable"} & component.options.keys()
    wanted = {"fused": fusible, "capturable": capturable and "capturable" not in component.options}
    computed = {name: True for name, is_wanted in wanted.items() if is_wanted}
    optimizer: Optimizer = build(component, Optimizer, params=parameters, **computed)
    return optimizer


def build_scheduler(component: Component, optimizer: Optimizer, steps_per_epoch: int, total_steps: int) -> LRScheduler:
    """The learning-rate schedule, stepped once after every update."""
    scheduler: LRScheduler = build(
        component, LRScheduler, optimizer=optimizer, steps_per_epoch=steps_per_epoch, total_steps=total_steps
    )
    return scheduler


def build_transforms(fixed: Sequence[Component], random: Sequence[Component]) -> Transforms:
    """All image transforms, in the order of the configuration."""
    return Transforms(
        fixed=tuple(build(component, nn.Module) for component in fixed),
        random=tuple(build(component, nn.Module) for component in random),
        recipe=json.dumps([dict(component.node) for component in fixed], sort_keys=True),
    )


def build(component: Component, kind: type, **run_time: Any) -> Any:
    """Build one component.

    Args:
        component: the class by name, and its configured options.
        kind: what the class must be a subclass of; a function of a trusted package must return an instance of it.
        run_time: values known only now; each is passed where the class has a parameter of that name.

    Raises:
        ConfigError: the target is not admitted, not of the kind, or refuses its options.
    """
    group = component.group
    if problems := refused_targets(component.node, group):
        raise refusal(problems)
    for key, target in find_targets(component.node, group):
        _check(key, str(target), locate(str(target), key), kind if target == component.target else object)
    constructor = locate(component.target, f"{group}._target_")
    parameters = _parameters(constructor)
    if parameters is not None:
        known = [name for name in parameters if name not in run_time]
        if unknown := [key for key in component.options if key not in parameters and not key.startswith("_")]:
            raise ConfigError("\n".join(unknown_key(f"{group}.{key}", known) for key in unknown))
        run_time = {name: value for name, value in run_time.items() if name in parameters}
    try:
        built = instantiate({**component.node, "_partial_": True, "_convert_": "all"})(**run_time)
    except (TypeError, ValueError, RuntimeError, KeyError, AttributeError, HydraException) as error:
        if is_out_of_memory(error.__cause__ or error):
            raise MemoryError from error
        # Whatever else a constructor says of its arguments is a message about the configuration.
        reason = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        raise ConfigError(f"{group}={component.choice} ({component.target}) refuses its options: {reason[0]}") from error
    if not isinstance(built, kind):
        raise ConfigError(f"{group}._target_={component.target}: gives a {type(built).__name__}, not a {kind.__name__}.")
    return built


def locate(target: str, key: str) -> Callable[..., Any]:
    """The object behind an admitted target.

    Raises:
        ConfigError: there is no such module, or no such name in it.
    """
    module_name, _, name = target.rpartition(".")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{key}={target}: {error}") from error
    return found


def _check(key: str, target: str, found: object, kind: type) -> None:
    """A name on the list may still lead elsewhere, because modules import things for their own use: look at what it is."""
    if is_trusted(target):
        admitted = is_trusted(str(getattr(found, "__module__", ""))) or (isinstance(found, type) and issubclass(found, BUILDABLE))
    else:
        admitted = isinstance(found, type) and issubclass(found, BUILDABLE)
    if not admitted or not callable(found):
        raise refusal([f"{key}={target} is not on the list: it leads to {getattr(found, '__module__', found)}"])
    if isinstance(found, type) and not issubclass(found, kind):
        raise ConfigError(f"{key}={target}: must be a {kind.__module__}.{kind.__name__}")


def _parameters(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The named parameters; None where the constructor takes any."""
    parameters = dict(inspect.signature(constructor).parameters)
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return parameters
