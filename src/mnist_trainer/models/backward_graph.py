"""The graph that autograd records of a model, walked back from the loss; and which tensors keep a
gradient afterwards."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mnist_trainer.models.explain import Model
from mnist_trainer.models.layer_shapes import times
from mnist_trainer.models.trace import is_layer, shape_of, tensors_in


@dataclass(frozen=True)
class Function:
    """A node of the graph that autograd recorded: one function, on the way back."""

    name: str
    output_of: str
    """The layer, or the loss, that this function computed on the way forward; empty within one."""
    next: list[str]
    """Where its gradient goes on to: numbers of other nodes, and tensors that keep it."""


@dataclass(frozen=True)
class Backward:
    """The way back, and what is left when it has been gone."""

    functions: list[Function]
    """From the loss back; a node has the number of its place, from 1."""
    keeps: list[tuple[str, str]]
    """Name and shape of each tensor that has a gradient afterwards."""
    passes: list[tuple[str, str]]
    """Name and shape of each tensor that the gradient passes, on its way to others, without
    staying."""
    without: list[tuple[str, str]]
    """Name of each leaf that gets no gradient, and why."""


@dataclass(frozen=True)
class _Recorded:
    """What one training step left behind, forward and back."""

    loss: Tensor
    outputs: dict[Any, str]
    """Node of the graph to the layers whose output it computed."""
    shapes: list[tuple[str, str]]
    """Layer to the shape of its output, without the batch."""


def explain_backward(model: Model) -> Backward:
    """Go forward and back once, with two images of noise, and look at what was recorded."""
    recorded = _record(model)
    names = {id(parameter): name for name, parameter in model.module.named_parameters()}
    nodes = _nodes(recorded.loss)
    numbers = {node: str(number) for number, node in enumerate(nodes, start=1)}
    functions = [
        Function(
            name=node.name(),
            output_of="the loss" if node is nodes[0] else recorded.outputs.get(node, ""),
            next=[
                *(numbers[onward] for onward in _onward(node) if onward in numbers),
                *(
                    names.get(id(_leaf(onward)), "a leaf")
                    for onward in _onward(node)
                    if onward not in numbers
                ),
            ],
        )
        for node in nodes
    ]
    recorded.loss.backward()
    parameters = list(model.module.named_parameters())
    shown = [(name, times(tuple(parameter.shape)), parameter) for name, parameter in parameters]
    return Backward(
        functions=functions,
        keeps=[(name, shape) for name, shape, parameter in shown if parameter.grad is not None],
        passes=recorded.shapes,
        without=[
            ("the images", f"{times(model.image_shape)}: data, requires_grad is false"),
            *(
                (
                    name,
                    f"{shape}: "
                    + (
                        "no part of the loss"
                        if parameter.requires_grad
                        else "requires_grad is false"
                    ),
                )
                for name, shape, parameter in shown
                if parameter.grad is None
            ),
        ],
    )


def _record(model: Model) -> _Recorded:
    """Two images of noise, as in training, up to the loss."""
    outputs: dict[Any, str] = {}
    shapes: list[tuple[str, str]] = []

    def after(name: str, output: object) -> None:
        for tensor in tensors_in(output):
            node = tensor.grad_fn
            if node is not None:
                # A layer that hands on what it got, such as Identity, shares a node with the one
                # before.
                outputs[node] = f"{outputs[node]}, {name}" if node in outputs else name
        shapes.append((name, times(shape_of(output))))

    hooks = [
        layer.register_forward_hook(
            lambda _, __, output, name=name: after(name or "the model", output)
        )
        for name, layer in model.module.named_modules()
        if is_layer(layer)
    ]
    try:
        images = torch.randn((2, *model.image_shape), generator=torch.Generator().manual_seed(0))
        logits = model.module.train()(images)
        loss = model.criterion(logits, torch.zeros(2, dtype=torch.int64))
    finally:
        for hook in hooks:
            hook.remove()
    return _Recorded(loss, outputs, shapes)


def _nodes(loss: Tensor) -> list[Any]:
    """The functions from the loss back, each before those that it hands its gradient to, leaves
    left out."""
    order: list[Any] = []
    waiting: dict[Any, int] = {}

    unseen = [loss.grad_fn]
    while unseen:
        for onward in _onward(unseen.pop()):
            if onward not in waiting:
                unseen.append(onward)
            waiting[onward] = waiting.get(onward, 0) + 1
    ready = [loss.grad_fn]
    while ready:
        node = ready.pop()
        if _leaf(node) is not None:
            continue
        order.append(node)
        for onward in _onward(node):
            waiting[onward] -= 1
            if waiting[onward] == 0:
                ready.append(onward)
    return order


def _onward(node: Any) -> Iterator[Any]:
    """The nodes that a node hands gradients to."""
    return (onward for onward, _ in node.next_functions if onward is not None)


def _leaf(node: Any) -> Tensor | None:
    """The leaf whose gradient a node collects, or turns for it, as for a transposed weight; None
    for any other node."""
    if node.name() == "TBackward0":
        onward = list(_onward(node))
        return _leaf(onward[0]) if onward else None
    leaf: Tensor | None = getattr(node, "variable", None)
    return leaf
