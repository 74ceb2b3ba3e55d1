"""A convolutional network that is described block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mnist_trainer.activations import activation as make_activation
from mnist_trainer.arithmetic import Window
from mnist_trainer.errors import ConfigError
from mnist_trainer.initialization import initialize
from mnist_trainer.models.dense import IMAGE_SIZE, classifier


@dataclass(frozen=True)
class Block:
    """Convolution, max-pooling, normalisation, activation, in that order."""

    channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    pool: int = 1
    """Side and stride of the max-pooling window; 1 pools nothing."""

    @property
    def window(self) -> Window:
        """How the kernel moves."""
        return Window(self.kernel_size, self.stride, 2 * self.padding)

    def output_size(self, size: int) -> int:
        """Side of the feature map that comes of one of side ``size``: convolved, then pooled."""
        return self.window.output_size(size) // self.pool


class ConvNet(nn.Module):
    """Any number of blocks, then linear layers.

    Pooling comes before normalisation and activation, where it leaves them less to do; with an activation that never
    falls, such as ReLU, the result is the same as after it.
    """

    def __init__(
        self,
        blocks: Sequence[Mapping[str, int]],
        batch_norm: bool,
        hidden: Sequence[int],
        activation: str,
        dropout: float,
        num_classes: int,
        image_size: int = IMAGE_SIZE,
        init: str = "default",
    ) -> None:
        """Raises:
        ConfigError: a feature map gets smaller than a kernel or a pooling window.
        """
        super().__init__()
        features: list[nn.Module] = []
        channels, size = 1, image_size
        for index, block in enumerate(Block(**each) for each in blocks):
            if block.output_size(size) < 1 or size + 2 * block.padding < block.kernel_size:
                raise ConfigError(
                    f"model.blocks[{index}]: its input has {size}x{size} pixels, too few for a kernel of {block.kernel_size}"
                    f" with stride {block.stride}, padding {block.padding} and pooling by {block.pool}:"
                    f" Out = {block.window.written_out(size)}."
                )
            # What a bias would add, a following batch normalisation takes away.
            convolution = nn.Conv2d(channels, block.channels, block.kernel_size, block.stride, block.padding, bias=not batch_norm)
            features += [convolution]
            features += [nn.MaxPool2d(block.pool)] if block.pool > 1 else []
            features += [nn.BatchNorm2d(block.channels)] if batch_norm else []
            features += [make_activation(activation)]
            channels, size = block.channels, block.output_size(size)
        widths = [channels * size * size, *hidden]
        self.features = nn.Sequential(*features)
        self.classifier = classifier(widths, activation, dropout, num_classes)
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) to logits (N, num_classes)."""
        return self.classifier(self.features(images))  # type: ignore[no-any-return]
