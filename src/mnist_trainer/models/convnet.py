"""A convolutional network that is described block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields

from torch import Tensor, nn

from mnist_trainer.config.settings import Count, PositiveInt, annotations_of, check_value
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import activation as make_activation
from mnist_trainer.models.dense import IMAGE_SIZE, classifier
from mnist_trainer.models.initialization import initialize
from mnist_trainer.models.layer_shapes import SlidingWindow
from mnist_trainer.system.messages import unknown_key

MOST_LINES = 10
"""Of a message: what is more is counted, for nobody reads it."""

EXAMPLE = "{channels:32,kernel_size:3,pool:2}"


@dataclass(frozen=True)
class Block:
    """Convolution, max-pooling, normalisation, activation, in that order."""

    channels: PositiveInt
    kernel_size: PositiveInt
    stride: PositiveInt = 1
    padding: Count = 0
    pool: PositiveInt = 1
    """Side and stride of the max-pooling window; 1 pools nothing."""

    @property
    def window(self) -> SlidingWindow:
        """How the kernel moves."""
        return SlidingWindow(self.kernel_size, self.stride, 2 * self.padding)

    @property
    def pooling(self) -> SlidingWindow:
        """How the pooling window moves."""
        return SlidingWindow(self.pool, self.pool, 0)

    def output_size(self, size: int) -> int:
        """Side of the feature map that comes of one of side ``size``: convolved, then pooled."""
        return self.pooling.output_size(self.window.output_size(size))

    def shape_mismatch(self, size: int) -> str | None:
        """Why a feature map of side ``size`` is too small for this block, as arithmetic; None where
        it is not."""
        if not self.window.fits(size):
            return (
                f"its input has {size}x{size} pixels, too few for a kernel of {self.kernel_size}"
                f" with padding {self.padding}: Out = {self.window.written_out(size)}.\nUse a"
                " smaller kernel_size, a larger padding, or fewer blocks."
            )
        convolved = self.window.output_size(size)
        if not self.pooling.fits(convolved):
            return (
                f"its convolution leaves {convolved}x{convolved} pixels, too few for pooling by"
                f" {self.pool}: Out = {self.pooling.written_out(convolved)}.\nUse a smaller pool,"
                " or fewer blocks."
            )
        return None


def read_blocks(entries: object) -> list[Block]:
    """The blocks that a configuration describes.

    Raises:
        ConfigError: names each entry that is missing, unknown, of the wrong type or out of range,
            in all blocks together.
    """
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ConfigError(
            f"model.blocks={_shown(entries)}: must be a list of blocks, such as [{EXAMPLE}]"
        )
    problems = [
        problem
        for index, entry in enumerate(entries)
        for problem in _problems(f"model.blocks[{index}]", entry)
    ]
    if len(problems) > MOST_LINES:
        left_out = len(problems) - MOST_LINES + 1
        problems[MOST_LINES - 1 :] = [f"and {left_out} more mistakes in model.blocks"]
    if problems:
        raise ConfigError("\n".join(problems))
    return [Block(**entry) for entry in entries]


def _problems(place: str, entry: object) -> list[str]:
    """What is wrong with the description of one block."""
    needed = [field.name for field in fields(Block) if field.default is MISSING]
    if not isinstance(entry, Mapping):
        return [
            f"{place}={_shown(entry)}: must be a mapping with {' and '.join(needed)}, such as"
            f" {EXAMPLE}"
        ]
    annotations = annotations_of(Block)
    problems = [
        unknown_key(f"{place}.{key}", annotations) for key in entry if key not in annotations
    ]
    for name, annotation in annotations.items():
        if name in entry:
            _, problem = check_value(annotation, entry[name])
            problems += [f"{place}.{name}={_shown(entry[name])}: {problem}"] if problem else []
        elif name in needed:
            problems.append(
                f"{place}.{name} is missing: a block needs {' and '.join(needed)}, such as"
                f" {EXAMPLE}"
            )
    return problems


def _shown(value: object) -> str:
    """A value as it is typed, cut where it is long."""
    text = (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else str(value)
    )
    return text if len(text) <= 40 else f"{text[:37]}..."


class ConvNet(nn.Module):
    """Any number of blocks, then linear layers.

    Pooling comes before normalisation and activation, where it leaves them less to do; with an
    activation that never falls, such as ReLU, the result is the same as after it.
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
        ConfigError: a block is not described rightly, or a feature map gets smaller than its kernel
        or pooling window.
        """
        super().__init__()
        features: list[nn.Module] = []
        channels, size = 1, image_size
        for index, block in enumerate(read_blocks(blocks)):
            if shape_mismatch := block.shape_mismatch(size):
                raise ConfigError(f"model.blocks[{index}]: {shape_mismatch}")
            # What a bias would add, a following batch normalisation takes away.
            convolution = nn.Conv2d(
                channels,
                block.channels,
                block.kernel_size,
                block.stride,
                block.padding,
                bias=not batch_norm,
            )
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
