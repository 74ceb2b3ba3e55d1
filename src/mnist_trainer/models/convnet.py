"""A convolutional network that is described block by block."""

from collections.abc import Mapping, Sequence

from torch import nn

from mnist_trainer.config.settings import IMAGE_SIZE
from mnist_trainer.models.activations import activation as make_activation
from mnist_trainer.models.blocks import output_size, read_blocks
from mnist_trainer.models.convolutional import ConvolutionalNetwork
from mnist_trainer.models.dense import dense_head


class ConvNet(ConvolutionalNetwork):
    """Blocks of convolution, max-pooling, batch normalisation and activation, then linear layers.

    Pooling comes before normalisation and activation, where it leaves them less to do; with a
    monotonic activation, such as ReLU, the result is the same as after it.
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
        """Build the layers; see ``configs/model/convnet.yaml`` for the options.

        Raises:
            ConfigError: a block is not described as it must be, or a feature map is smaller than
                its kernel or pooling window.
        """
        described = read_blocks(blocks)
        size = output_size(described, image_size, "model.blocks[{}]")
        features: list[nn.Module] = []
        channels = 1
        for each in described:
            # What a bias would add, a following batch normalisation takes away.
            features += [
                nn.Conv2d(
                    channels,
                    each.channels,
                    each.kernel_size,
                    each.stride,
                    each.padding,
                    bias=not batch_norm,
                )
            ]
            features += [nn.MaxPool2d(each.pool)] if each.pool > 1 else []
            features += [nn.BatchNorm2d(each.channels)] if batch_norm else []
            features += [make_activation(activation)]
            channels = each.channels
        widths = [channels * size * size, *hidden, num_classes]
        super().__init__(features, dense_head(widths, activation, dropout), init)
