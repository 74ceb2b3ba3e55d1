"""The autograd graph of a model, from the loss back, and which tensors get a gradient."""

from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.models.explain import Model
from mnist_trainer.models.layer_shapes import times
from mnist_trainer.models.trace import is_layer, shape_of, tensors_in

NOT_REQUIRED = "requires_grad is false"


@dataclass(frozen=True)
class Function:
    """A node of the autograd graph."""

    name: str
    output_of: str
    """The layer, or the loss, whose output this node computed; empty within one."""
    next: list[str]
    """Where its gradient goes: numbers of other nodes, and names of leaves that accumulate it."""


@dataclass(frozen=True)
class Backward:
    """The backward pass of one training step."""

    functions: list[Function]
    """From the loss back; a node has the number of its place, from 1."""
    keeps: list[tuple[str, str]]
    """Name and shape of each leaf with a gradient."""
    passes: list[tuple[str, str]]
    """Layer and shape of each output that the gradient passes without being accumulated."""
    without: list[tuple[str, str]]
    """Name of each leaf without a gradient, and why."""


@dataclass(frozen=True)
class _Output:
    """What autograd recorded of the output of a layer."""

    layer: str
    shape: str
    nodes: list[Any]


def explain_backward(model: Model) -> Backward:
    """Run a training step on two images of noise, and read what autograd recorded."""
    loss, outputs = _forward(model)
    parameters = list(model.module.named_parameters())
    names = {id(parameter): name for name, parameter in parameters}
    functions = _functions(loss, outputs, names)
    loss.backward()
    keeps, without = [], [("the images", f"{times(model.image_shape)}: data, {NOT_REQUIRED}")]
    for name, parameter in parameters:
        shape = times(tuple(parameter.shape))
        if parameter.grad is not None:
            keeps.append((name, shape))
        else:
            why = "no part of the loss" if parameter.requires_grad else NOT_REQUIRED
            without.append((name, f"{shape}: {why}"))
    passes = [(output.layer, output.shape) for output in outputs]
    return Backward(functions, keeps, passes, without)


def _functions(loss: Tensor, outputs: list[_Output], names: dict[int, str]) -> list[Function]:
    """The nodes of the graph with their layers and targets.

    Args:
        names: id to name of each parameter.
    """
    # A layer that returns its input, such as Identity, shares a node with the one before.
    layers: dict[Any, str] = {}
    for output in outputs:
        for node in output.nodes:
            layers[node] = f"{layers[node]}, {output.layer}" if node in layers else output.layer
    nodes = _nodes(loss)
    layers[nodes[0]] = "the loss"
    numbers = {node: str(number) for number, node in enumerate(nodes, start=1)}
    functions = []
    for node in nodes:
        targets = [numbers[each] for each in _onward(node) if each in numbers]
        leaves = [_leaf(each) for each in _onward(node) if each not in numbers]
        targets += [names.get(id(leaf), "a leaf") for leaf in leaves]
        functions.append(Function(node.name(), layers.get(node, ""), targets))
    return functions


def _forward(model: Model) -> tuple[Tensor, list[_Output]]:
    """The loss of two images of noise in training mode, and the output of each layer."""
    outputs: list[_Output] = []

    def record(layer: str, output: object) -> None:
        nodes = [tensor.grad_fn for tensor in tensors_in(output) if tensor.grad_fn is not None]
        outputs.append(_Output(layer, times(shape_of(output)), nodes))

    hooks = [
        layer.register_forward_hook(
            lambda _, __, output, name=name: record(name or "the model", output)
        )
        for name, layer in model.module.named_modules()
        if is_layer(layer)
    ]
    try:
        images = torch.randn((2, *model.image_shape), generator=torch.Generator().manual_seed(0))
        logits = model.module.train()(images)
        return model.criterion(logits, torch.zeros(2, dtype=torch.int64)), outputs
    finally:
        for hook in hooks:
            hook.remove()


def _nodes(loss: Tensor) -> list[Any]:
    """The nodes from the loss back in topological order, without leaves."""
    graph: dict[Any, list[Any]] = {}
    unseen = [loss.grad_fn]
    while unseen:
        node = unseen.pop()
        if node not in graph:
            graph[node] = list(_onward(node))
            unseen += graph[node]
    order = reversed(list(TopologicalSorter(graph).static_order()))
    return [node for node in order if _leaf(node) is None]


def _onward(node: Any) -> Iterator[Any]:
    """The nodes that a node passes gradients to."""
    return (onward for onward, _ in node.next_functions if onward is not None)


def _leaf(node: Any) -> Tensor | None:
    """The leaf whose gradient a node accumulates or, as for a weight, transposes; else None."""
    if node.name() == "TBackward0":
        onward = list(_onward(node))
        return _leaf(onward[0]) if onward else None
    leaf: Tensor | None = getattr(node, "variable", None)
    return leaf
