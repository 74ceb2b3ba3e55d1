"""Networks of convolutions, then linear layers."""

from collections.abc import Sequence

from torch import Tensor, nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import MONOTONIC
from mnist_trainer.models.activations import activation as make_activation
from mnist_trainer.models.dense import IMAGE_SIZE, classifier, hidden_layers
from mnist_trainer.models.initialization import initialize
from mnist_trainer.models.layer_shapes import SlidingWindow


class CNN(nn.Module):
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
        """Raises:
        ConfigError: the image gets smaller than a kernel or pooling window before the last block.
        """
        super().__init__()
        size = image_size
        blocks: list[nn.Module] = []
        for index, (fan_in, fan_out) in enumerate(zip([1, *channels], channels, strict=False)):
            blocks += [
                nn.Conv2d(fan_in, fan_out, kernel_size, padding=padding),
                *pooled(activation, nn.MaxPool2d(pool)),
            ]
            kernel = SlidingWindow(kernel_size, stride=1, padding=2 * padding)
            pooling = SlidingWindow(pool, stride=pool, padding=0)
            convolved = kernel.output_size(size)
            if not kernel.fits(size):
                raise ConfigError(
                    f"model.channels={list(channels)}: block {index} sees {size}x{size} pixels, too"
                    f" few for a kernel of {kernel_size} with padding {padding}: Out ="
                    f" {kernel.written_out(size)}.\nUse fewer blocks, a smaller kernel_size, or a"
                    " larger padding."
                )
            if not pooling.fits(convolved):
                raise ConfigError(
                    f"model.channels={list(channels)}: the convolution of block {index} leaves"
                    f" {convolved}x{convolved} pixels, too few for pooling by {pool}: Out ="
                    f" {pooling.written_out(convolved)}.\nUse fewer blocks, or a smaller pool."
                )
            size = pooling.output_size(convolved)
        widths = [(channels[-1] if len(channels) else 1) * size * size, *hidden]
        self.features = nn.Sequential(*blocks)
        self.classifier = classifier(widths, activation, dropout, num_classes)
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, num_classes)."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]


class LeNet5(nn.Module):
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
        super().__init__()
        if image_size != IMAGE_SIZE:
            raise ConfigError(
                "model=lenet5: it is made for images of 28x28, and the transforms leave"
                f" {image_size}x{image_size}."
            )
        pool = nn.AvgPool2d if pooling == "average" else nn.MaxPool2d
        self.features = nn.Sequential(
            # Padding 2 makes the 28x28 image the paper's 32x32.
            nn.Conv2d(1, 6, 5, padding=2),
            *pooled(activation, pool(2)),  # (N, 6, 14, 14)
            nn.Conv2d(6, 16, 5),
            *pooled(activation, pool(2)),  # (N, 16, 5, 5)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            *hidden_layers([400, 120, 84], activation, dropout),
            nn.Linear(84, num_classes),
        )
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, num_classes)."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]


def pooled(activation: str, pool: nn.Module) -> list[nn.Module]:
    """What follows a convolution: activation and pooling, in the order of the textbook or in one
    that is the same and quicker.

    The largest of f(z) is f of the largest z where f never falls, and the gradient goes back to the
    same z. Max-pooling first leaves the activation fewer numbers, of which docs/results.md tells
    the gain.
    """
    activate = make_activation(activation)
    return (
        [pool, activate]
        if isinstance(pool, nn.MaxPool2d) and activation in MONOTONIC
        else [activate, pool]
    )
