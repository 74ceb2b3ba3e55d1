"""``mnist-train --explain``: describe the layers of a model, or its backward pass."""

import os
import sys

import torch
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from mnist_trainer.config.settings import IMAGE_SIZE, NUM_CLASSES, RunConfig
from mnist_trainer.data.transforms import build_transforms
from mnist_trainer.models.backward_graph import Backward, explain_backward
from mnist_trainer.models.build import build_loss, build_model
from mnist_trainer.models.explain import Explained, Model, explain_layers, totals
from mnist_trainer.models.layer_shapes import RULE, times
from mnist_trainer.system.console import make_console, make_table

MOST_ROWS = 100
"""Of a longer graph only the beginning is shown: it would not be read."""


def print_explanation(config: RunConfig, asked: str) -> None:
    """Print the explanation of the ``layers``, or of the ``backward`` pass.

    Raises:
        ConfigError: the model's arithmetic does not fit; names the layer.
    """
    model = configured_model(config)
    layers = explain_layers(model)
    heading = (
        f"model={config.model.choice}: an image of {times(model.image_shape)} becomes"
        f" {model.num_classes} logits"
    )
    console = make_console(None if sys.stdout.isatty() else piped_width())
    with console.capture() as page:
        console.print(Text(heading, style="bold"))
        if asked == "layers":
            print_layers(console, layers, totals(model))
        else:
            print_backward(console, explain_backward(model), config.loss.choice)
    # Tables fill their columns with blanks, which a file need not keep.
    print("\n".join(line.rstrip() for line in page.get().splitlines()))


def configured_model(config: RunConfig) -> Model:
    """Build the model of a configuration, for the image shape that its transforms produce.

    Raises:
        ConfigError: it cannot be built.
    """
    transforms = build_transforms(config.transforms.fixed, config.transforms.random)
    pixels = torch.zeros((1, 1, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    image_shape = tuple(transforms.preprocess(pixels).shape[1:])
    num_classes = NUM_CLASSES[config.data.name]
    module = build_model(config.model, num_classes, image_shape[-1])
    return Model(module, build_loss(config.loss), image_shape, num_classes)


def piped_width() -> int:
    """Width in columns where the output is not a terminal."""
    columns = os.environ.get("COLUMNS", "")
    return max(60, int(columns)) if columns.isdigit() else 80


def print_layers(console: Console, layers: list[Explained], sums: list[tuple[str, str]]) -> None:
    """Print each layer with the arithmetic of its shape and costs, then the totals."""
    if any(
        line.startswith(("floor", "ceil", "height")) for layer in layers for line in layer.sizes
    ):
        console.print(Text(RULE, style="dim"))
    console.print()
    table = make_table("layer", "kind", "output", "how it comes about")
    for layer in layers:
        first, *more = layer.sizes or [""]
        table.add_row(escape(layer.name), layer.kind, Text(layer.output, style="bold"), first)
        for line in more:
            table.add_row("", "", "", line)
        for label, text in (
            ("parameters", layer.parameters),
            ("multiply-adds", layer.macs),
        ):
            if text:
                table.add_row("", "", Text(label, style="dim"), text)
    table.add_row()
    for number, (label, text) in enumerate(sums):
        table.add_row("" if number else "in all", "", Text(label, style="dim"), text)
    console.print(table)


def print_backward(console: Console, backward: Backward, loss: str) -> None:
    """Print the graph from the loss back, then which tensors keep a gradient."""
    console.print(f"loss={loss}, of two images of noise; then backward(). No run was started.")
    console.print(
        "\nThe way back: every function hands gradients on, by the chain rule, until they reach a"
        " leaf"
    )
    graph = make_table("", "function", "output of", "hands on to")
    for number, function in enumerate(backward.functions[:MOST_ROWS], start=1):
        graph.add_row(
            str(number),
            function.name,
            Text(function.output_of),
            Text(", ".join(function.next) or "nothing trained"),
        )
    if len(backward.functions) > MOST_ROWS:
        graph.add_row("", f"and {len(backward.functions) - MOST_ROWS} more", "", "")
    console.print(graph)
    for title, rows in (
        ("Leaves that keep their gradient, in .grad: what the optimizer reads", backward.keeps),
        (
            "Outputs of layers, whose gradient is not kept; retain_grad() would keep it",
            backward.passes,
        ),
        ("Leaves without a gradient", backward.without),
    ):
        console.print(f"\n{title}")
        table = make_table("", "")
        for name, text in rows[:MOST_ROWS]:
            table.add_row(Text(name), text)
        if len(rows) > MOST_ROWS:
            table.add_row(f"and {len(rows) - MOST_ROWS} more", "")
        console.print(table)
