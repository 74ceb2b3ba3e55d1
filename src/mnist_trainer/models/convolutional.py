"""Convolutional networks of a fixed pattern: CNN and LeNet-5."""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import MONOTONIC
from mnist_trainer.models.activations import activation as make_activation
from mnist_trainer.models.blocks import Block, output_size
from mnist_trainer.models.dense import dense_head
from mnist_trainer.models.initialization import initialize


class ConvolutionalNetwork(nn.Module):
    """Convolutional features, then a dense head."""

    def __init__(self, features: Sequence[nn.Module], classifier: nn.Sequential, init: str) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = classifier
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, num_classes)."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]


class CNN(ConvolutionalNetwork):
    """Blocks of convolution, activation and max-pooling, then linear layers.

    With channels 10 and 20, kernels of 5 and no hidden layer it is the convolutional network of the
    classic tutorials.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernel_size: int,
        padding: int,
        pool: int,
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        num_classes: int,
        image_size: int = IMAGE_SIZE,
        init: str = "default",
    ) -> None:
        """Build the layers; see ``configs/model/cnn.yaml`` for the options.

        Raises:
            ConfigError: a feature map is smaller than the kernel or the pooling window.
        """
        blocks = [Block(width, kernel_size, 1, padding, pool) for width in channels]
        size = output_size(blocks, image_size, f"model.channels={list(channels)}: block {{}}")
        features: list[nn.Module] = []
        fan_in = 1
        for width in channels:
            features += [
                nn.Conv2d(fan_in, width, kernel_size, padding=padding),
                *pooled(activation, nn.MaxPool2d(pool)),
            ]
            fan_in = width
        widths = [fan_in * size * size, *hidden, num_classes]
        super().__init__(features, dense_head(widths, activation, dropout), init)


class LeNet5(ConvolutionalNetwork):
    """LeNet-5: two convolutions and three linear layers (LeCun et al. 1998, fig. 2).

    Departures from the paper: every feature map of the second convolution sees all of the first,
    pooling has no learned scale, and the output is a linear layer in place of radial basis
    functions.
    """

    def __init__(
        self,
        activation: str,
        pooling: str,
        dropout: float,
        num_classes: int,
        image_size: int = IMAGE_SIZE,
        init: str = "default",
    ) -> None:
        """Build the layers; see ``configs/model/lenet5.yaml`` for the options.

        Raises:
            ConfigError: the images are not 28x28.
        """
        if image_size != IMAGE_SIZE:
            raise ConfigError(
                "model=lenet5: it is made for images of 28x28, and the transforms leave"
                f" {image_size}x{image_size}."
            )
        pool = nn.AvgPool2d if pooling == "average" else nn.MaxPool2d
        features = [
            # Padding 2 makes the 28x28 image the paper's 32x32.
            nn.Conv2d(1, 6, 5, padding=2),
            *pooled(activation, pool(2)),  # (N, 6, 14, 14)
            nn.Conv2d(6, 16, 5),
            *pooled(activation, pool(2)),  # (N, 16, 5, 5)
        ]
        widths = [400, 120, 84, num_classes]
        head = dense_head(widths, activation, dropout, drop_features=False)
        super().__init__(features, head, init)


def pooled(activation: str, pool: nn.Module) -> list[nn.Module]:
    """Activation and pooling after a convolution, in the cheaper of two equal orders.

    For a monotonic f, max f(z) = f(max z), and the gradient goes to the same z. Max-pooling first
    leaves the activation fewer numbers; docs/results.md has the gain.
    """
    activate = make_activation(activation)
    return (
        [pool, activate]
        if isinstance(pool, nn.MaxPool2d) and activation in MONOTONIC
        else [activate, pool]
    )
