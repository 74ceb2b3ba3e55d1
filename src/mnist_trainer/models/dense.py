"""Networks of linear layers only."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import Tensor, nn

from mnist_trainer.models.activations import activation
from mnist_trainer.models.initialization import initialize

IMAGE_SIZE = 28


def hidden_layers(
    widths: Sequence[int], activation_name: str, dropout: float
) -> Iterator[nn.Module]:
    """Linear, activation and dropout from each width to the next."""
    for fan_in, fan_out in pairwise(widths):
        yield nn.Linear(fan_in, fan_out)
        yield activation(activation_name)
        if dropout > 0:
            yield nn.Dropout(dropout)


def classifier(
    widths: Sequence[int], activation_name: str, dropout: float, num_classes: int
) -> nn.Sequential:
    """From feature maps to logits: flatten, drop, hidden layers, output layer; ``widths[0]`` is the
    number of features."""
    return nn.Sequential(
        nn.Flatten(),
        *([nn.Dropout(dropout)] if dropout > 0 else []),
        *hidden_layers(widths, activation_name, dropout),
        nn.Linear(widths[-1], num_classes),
    )


class FCN(nn.Module):
    """A fully connected network with any number of hidden layers."""

    def __init__(
        self,
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        num_classes: int,
        image_size: int = IMAGE_SIZE,
        init: str = "default",
    ) -> None:
        super().__init__()
        widths = [image_size**2, *hidden]
        self.layers = nn.Sequential(
            nn.Flatten(),
            *hidden_layers(widths, activation, dropout),
            nn.Linear(widths[-1], num_classes),
        )
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, num_classes)."""
        return self.layers(images)  # type: ignore[no-any-return]


class TwoLayer(FCN):
    """One hidden layer: linear, activation, linear."""

    def __init__(
        self,
        hidden: int,
        activation: str,
        dropout: float,
        num_classes: int,
        image_size: int = IMAGE_SIZE,
        init: str = "default",
    ) -> None:
        super().__init__([hidden], activation, dropout, num_classes, image_size, init)


class Linear(FCN):
    """Softmax regression: one linear layer from pixels to logits."""

    def __init__(
        self, num_classes: int, image_size: int = IMAGE_SIZE, init: str = "default"
    ) -> None:
        super().__init__([], "relu", 0.0, num_classes, image_size, init)
