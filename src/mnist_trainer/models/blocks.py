"""Blocks of a convolutional network: options, validation and output sizes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields

from mnist_trainer.config.checking import annotations_of, check_value
from mnist_trainer.config.settings import Count, PositiveInt
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.layer_shapes import SlidingWindow
from mnist_trainer.system.messages import unknown_key

MAX_PROBLEMS = 10
"""Lines of a message; what is more is counted."""

EXAMPLE = "{channels:32,kernel_size:3,pool:2}"


@dataclass(frozen=True)
class Block:
    """A square convolution and a max-pooling."""

    channels: PositiveInt
    kernel_size: PositiveInt
    stride: PositiveInt = 1
    padding: Count = 0
    pool: PositiveInt = 1
    """Side and stride of the max-pooling window; 1 pools nothing."""

    @property
    def kernel(self) -> SlidingWindow:
        return SlidingWindow(self.kernel_size, self.stride, 2 * self.padding)

    @property
    def pooling(self) -> SlidingWindow:
        return SlidingWindow(self.pool, self.pool, 0)

    def output_size(self, size: int) -> int:
        """Side of the output for an input of side ``size``, in pixels."""
        return self.pooling.output_size(self.kernel.output_size(size))

    def shape_mismatch(self, size: int) -> str | None:
        """Why an input of side ``size`` is too small, as arithmetic; None where it is not."""
        if not self.kernel.fits(size):
            return (
                f"sees {size}x{size} pixels, too few for a kernel of {self.kernel_size} with"
                f" padding {self.padding}: Out = {self.kernel.written_out(size)}.\nUse fewer"
                " blocks, a smaller kernel_size, or a larger padding."
            )
        convolved = self.kernel.output_size(size)
        if not self.pooling.fits(convolved):
            return (
                f"sees {size}x{size} pixels, and its convolution leaves {convolved}x{convolved}"
                f" pixels, too few for pooling by {self.pool}: Out ="
                f" {self.pooling.written_out(convolved)}.\nUse fewer blocks, or a smaller pool."
            )
        return None


def output_size(blocks: Sequence[Block], size: int, place: str) -> int:
    """Side of the feature maps after all blocks, in pixels.

    Args:
        size: side of the image.
        place: names a block in messages; ``{}`` stands for its index.

    Raises:
        ConfigError: a block gets fewer pixels than its kernel or pooling window needs.
    """
    for index, block in enumerate(blocks):
        if mismatch := block.shape_mismatch(size):
            raise ConfigError(f"{place.format(index)} {mismatch}")
        size = block.output_size(size)
    return size


def read_blocks(entries: object) -> list[Block]:
    """Validate the option ``model.blocks``.

    Raises:
        ConfigError: names each entry that is missing, unknown, of the wrong type or out of range,
            in all blocks together.
    """
    if not isinstance(entries, Sequence) or isinstance(entries, str):
        raise ConfigError(
            f"model.blocks={_as_typed(entries)}: must be a list of blocks, such as [{EXAMPLE}]"
        )
    problems = [
        problem
        for index, entry in enumerate(entries)
        for problem in _problems(f"model.blocks[{index}]", entry)
    ]
    if len(problems) > MAX_PROBLEMS:
        left_out = len(problems) - MAX_PROBLEMS + 1
        problems[MAX_PROBLEMS - 1 :] = [f"and {left_out} more mistakes in model.blocks"]
    if problems:
        raise ConfigError("\n".join(problems))
    return [Block(**entry) for entry in entries]


def _problems(place: str, entry: object) -> list[str]:
    """What is wrong with the description of one block."""
    needed = [field.name for field in fields(Block) if field.default is MISSING]
    needs = f"{' and '.join(needed)}, such as {EXAMPLE}"
    if not isinstance(entry, Mapping):
        return [f"{place}={_as_typed(entry)}: must be a mapping with {needs}"]
    annotations = annotations_of(Block)
    problems = [
        unknown_key(f"{place}.{key}", annotations) for key in entry if key not in annotations
    ]
    for name, annotation in annotations.items():
        if name in entry:
            _, problem = check_value(annotation, entry[name])
            problems += [f"{place}.{name}={_as_typed(entry[name])}: {problem}"] if problem else []
        elif name in needed:
            problems.append(f"{place}.{name} is missing: a block needs {needs}")
    return problems


def _as_typed(value: object) -> str:
    """A value as it is typed on the command line, cut where it is long."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
