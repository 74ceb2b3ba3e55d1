"""What a lesson page carries: networks and images as arrays in JSON."""

import base64
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_splits
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.export.html_network import pack
from mnist_trainer.models.summary import count_parameters
from mnist_trainer.runs.metrics import wilson_interval

if TYPE_CHECKING:
    from mnist_trainer.inference.trained_model import TrainedModel

SAMPLES = 100
"""Test images to try a network on: the first of them."""
NEIGHBOURS_PER_CLASS = 30
"""Training images of each class that are searched for the nearest: the first of them."""
MISTAKES = 24
"""Test images that the network gets wrong, the first of them."""
MOST_FLOAT32 = 220_000
"""Numbers of all networks of a page up to which they are written as float32."""
MOST_EXACT = 1024
"""Numbers of a tensor up to which it stays float32 in a page of 16 bits a number."""
MOST_NUMBERS = 600_000
"""Numbers of all networks of a page: in 16 bits each, with the rest of the page, below 2 MB."""

Part = dict[str, Any]


@dataclass(frozen=True)
class TestedNetwork:
    """A network of the page and what it answers to the test images of its data set."""

    trained: "TrainedModel"
    test: LabelledImages
    predicted: Tensor
    """int64, (N,): the most probable class of each test image."""

    @property
    def num_correct(self) -> int:
        return int((self.predicted == self.test.labels).sum())

    @property
    def mistakes(self) -> LabelledImages:
        """Test images whose class is not the predicted one, the first ``MISTAKES``."""
        wrong = (self.predicted != self.test.labels).nonzero()[:MISTAKES, 0]
        return self.test.select(wrong)


def test_network(trained: "TrainedModel") -> TestedNetwork:
    """Answers to the test images of the run's own data set.

    Raises:
        DataError: the data set cannot be read.
    """
    test = load_splits(trained.config.data).test
    return TestedNetwork(trained, test, trained.logits(test.images).argmax(dim=1))


def array_part(array: NDArray[Any]) -> Part:
    """An array for ``arrays.js``: little-endian, its bytes sorted by their place in a number,
    compressed (zlib), base64."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    planes = little.reshape(-1).view(np.uint8).reshape(-1, little.itemsize).T
    packed = zlib.compress(np.ascontiguousarray(planes).tobytes(), 9)
    return {
        "type": array.dtype.name,
        "shape": list(array.shape),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def images_part(images: LabelledImages) -> Part:
    """Images uint8 (N, 28, 28), and their labels."""
    return {
        "images": array_part(images.images[:, 0].numpy()),
        "labels": array_part(images.labels.numpy().astype(np.uint8)),
    }


def numbers_part(pieces: list[NDArray[np.float32]], bits: int) -> Part:
    """The numbers of a network, a tensor after the other: float32 as they are, or in 16 bits.

    In 16 bits a tensor is whole multiples of a step of its own; small tensors (step 0) stay as they
    are, in ``exact``.
    """
    if bits == 32:
        return array_part(np.concatenate(pieces))
    steps = [0.0 if len(piece) <= MOST_EXACT else step_of(piece) for piece in pieces]
    pairs = list(zip(pieces, steps, strict=True))
    whole = [np.rint(piece / step) if step else np.zeros_like(piece) for piece, step in pairs]
    exact = [np.empty(0, np.float32), *(piece for piece, step in pairs if not step)]
    return {
        **array_part(np.concatenate(whole).astype(np.int16)),
        "steps": [[len(piece), step] for piece, step in pairs],
        "exact": array_part(np.concatenate(exact)),
    }


def step_of(values: NDArray[np.float32]) -> float:
    """The step with which the largest value becomes 32,767."""
    return float(np.abs(values).max()) / 32767 or 1.0


def bits_for(trained: "list[TrainedModel]") -> int:
    """Bits of a number in the page: 32, or 16 where there are many.

    Raises:
        ConfigError: there are too many even so.
    """
    count = sum(count_parameters(each.model) for each in trained)
    if count > MOST_NUMBERS:
        raise ConfigError(
            f"--format lesson: {count:,} parameters; a page of 2 MB holds {MOST_NUMBERS:,}. Train"
            " a smaller network, such as model=cnn, or use --format html, which has no limit."
        )
    return 32 if count <= MOST_FLOAT32 else 16


def layers_part(trained: "TrainedModel", bits: int) -> Part:
    """A network alone, as ``forward.js`` loads it.

    Raises:
        ConfigError: the page cannot compute a part of it.
    """
    description, packer = pack(trained)
    return {**description, "numbers": numbers_part(packer.pieces, bits)}


def network_part(tested: TestedNetwork, bits: int) -> Part:
    """A network, and what is known of its run."""
    trained, config = tested.trained, tested.trained.config
    low, high = wilson_interval(tested.num_correct, len(tested.test))
    facts = {
        "model": config.model.choice,
        "optimizer": config.optimizer.choice,
        "data": config.data.name,
        "parameters": count_parameters(trained.model),
        "epochs": trained.checkpoint.epoch,
        "weights": trained.checkpoint.sha256[:12],
        "test_images": len(tested.test),
        "test_correct": tested.num_correct,
        "test_interval": [low, high],
        "bits": bits,
    }
    return {**layers_part(trained, bits), "facts": facts}


def rounded(trained: "TrainedModel", bits: int) -> dict[str, Tensor]:
    """The parameters of a network by name, as a page with so many bits a number holds them."""
    return {
        name: tensor.detach() if bits == 32 else _rounded(tensor.detach())
        for name, tensor in trained.model.named_parameters()
    }


def _rounded(tensor: Tensor) -> Tensor:
    if tensor.numel() <= MOST_EXACT:
        return tensor
    step = step_of(tensor.float().numpy())
    return (tensor.float() / step).round().double() * step


def neighbours(trained: "TrainedModel") -> LabelledImages:
    """Training images among which the page looks for the nearest."""
    train = load_splits(trained.config.data).train
    chosen = [
        (train.labels == label).nonzero()[:NEIGHBOURS_PER_CLASS, 0]
        for label in range(trained.num_classes)
    ]
    return train.select(torch.cat(chosen))
