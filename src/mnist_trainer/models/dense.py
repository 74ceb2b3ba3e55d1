"""Fully connected networks, and the dense head that ends every network."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.models.activations import activation as make_activation
from mnist_trainer.models.initialization import initialize


def dense_head(
    widths: Sequence[int], activation: str, dropout: float, *, drop_features: bool = True
) -> nn.Sequential:
    """Build the layers from features to logits: flatten, then linear layers with activations.

    Args:
        widths: number of features, width of each hidden layer, number of classes.
        dropout: probability that an input of a linear layer is dropped in training.
        drop_features: whether that holds for the features too, or for hidden units only.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        if index > 0:
            layers.append(make_activation(activation))
        if dropout > 0 and (index > 0 or drop_features):
            layers.append(nn.Dropout(dropout))
        layers.append(nn.Linear(fan_in, fan_out))
    return nn.Sequential(*layers)


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
        widths = [image_size**2, *hidden, num_classes]
        self.layers = dense_head(widths, activation, dropout, drop_features=False)
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
