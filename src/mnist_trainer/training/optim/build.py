"""Build the optimizer and the learning-rate scheduler that a configuration names."""

from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_trainer.config.allow_list import refused_targets
from mnist_trainer.config.instantiate import build, locate
from mnist_trainer.config.settings import Component
from mnist_trainer.errors import ConfigError
from mnist_trainer.training.optim.without_compiler import skip_dynamo_import


def build_optimizer(
    component: Component, model: nn.Module, *, capturable: bool = False
) -> Optimizer:
    """The optimizer of all parameters that are trained, fused into one kernel where PyTorch has
    one.

    Args:
        capturable: all of its state is to be on the device, so that a CUDA graph can hold its step.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not parameters:
        raise ConfigError(f"model={component.choice}: it has no parameters to train.")
    if (
        "differentiable" not in component.options
        and refused_targets(component.node, "optimizer") == []
    ):
        located: Any = locate(component.target, "optimizer._target_")
        skip_dynamo_import(located)
    fusible = not {"fused", "foreach", "differentiable"} & component.options.keys()
    wanted = {"fused": fusible, "capturable": capturable and "capturable" not in component.options}
    computed = {name: True for name, is_wanted in wanted.items() if is_wanted}
    return build(component, Optimizer, params=parameters, **computed)


def build_scheduler(
    component: Component, optimizer: Optimizer, steps_per_epoch: int, total_steps: int
) -> LRScheduler:
    """The learning-rate schedule, stepped once after every update."""
    return build(
        component,
        LRScheduler,
        optimizer=optimizer,
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
    )
