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


def explain_backward(model: Model) -> Backward:
    """Run a training step on two images of noise, and read what autograd recorded."""
    layers: dict[Any, str] = {}
    passes: list[tuple[str, str]] = []
    loss = _forward(model, layers, passes)
    parameters = list(model.module.named_parameters())
    names = {id(parameter): name for name, parameter in parameters}
    functions = _functions(loss, layers, names)
    loss.backward()
    keeps, without = [], [("the images", f"{times(model.image_shape)}: data, {NOT_REQUIRED}")]
    for name, parameter in parameters:
        shape = times(tuple(parameter.shape))
        if parameter.grad is not None:
            keeps.append((name, shape))
        else:
            why = "no part of the loss" if parameter.requires_grad else NOT_REQUIRED
            without.append((name, f"{shape}: {why}"))
    return Backward(functions, keeps, passes, without)


def _functions(loss: Tensor, layers: dict[Any, str], names: dict[int, str]) -> list[Function]:
    """The nodes of the graph from the loss back.

    Args:
        layers: node to the layer whose output it computed.
        names: id to name of each parameter.
    """
    nodes = _nodes(loss)
    layers = {**layers, nodes[0]: "the loss"}
    numbers = {node: str(number) for number, node in enumerate(nodes, start=1)}
    functions = []
    for node in nodes:
        targets = [numbers[each] for each in _onward(node) if each in numbers]
        leaves = [_leaf(each) for each in _onward(node) if each not in numbers]
        targets += [names.get(id(leaf), "a leaf") for leaf in leaves]
        functions.append(Function(node.name(), layers.get(node, ""), targets))
    return functions


def _forward(model: Model, layers: dict[Any, str], passes: list[tuple[str, str]]) -> Tensor:
    """Compute the loss of two images of noise in training mode.

    Args:
        layers: is filled with the nodes of outputs and their layers.
        passes: is filled with the layers and the shapes of their outputs.
    """

    def record(layer: str, output: object) -> None:
        for tensor in tensors_in(output):
            node = tensor.grad_fn
            if node is not None:
                # A layer that returns its input, such as Identity, shares the node before.
                layers[node] = f"{layers[node]}, {layer}" if node in layers else layer
        passes.append((layer, times(shape_of(output))))

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
        loss: Tensor = model.criterion(logits, torch.zeros(2, dtype=torch.int64))
        return loss
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
