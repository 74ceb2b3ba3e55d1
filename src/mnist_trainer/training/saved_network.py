"""The network that a checkpoint holds, built anew; nothing in the file is executed."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from mnist_trainer.config.reader import read_config
from mnist_trainer.config.settings import IMAGE_SIZE, RunConfig
from mnist_trainer.config.shipped import config_dir
from mnist_trainer.data.transforms import Transforms, build_transforms
from mnist_trainer.errors import CheckpointError, ConfigError
from mnist_trainer.models.build import build_model
from mnist_trainer.models.size_limit import SizeLimit

MOST_NUMBERS = 10_000_000
"""Numbers that the building of a network may make, besides twice those of its weights."""


def read_saved_config(path: Path, state: dict[str, Any]) -> RunConfig:
    """Read the settings inside a checkpoint, and validate them as typed ones are.

    Raises:
        CheckpointError: they are not settings of this version, or name a class that is not
            admitted.
    """
    choices = state["choices"]
    if not isinstance(choices, dict) or not all(
        isinstance(text, str) for pair in choices.items() for text in pair
    ):
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its choices are not names."
        )
    try:
        # How that run was watched and compared does not matter here, nor need a tracker of its own
        # be trusted.
        untracked = OmegaConf.load(config_dir() / "tracker" / "none.yaml")
        alone = {"tracker": untracked, "reproduce": None, "reproduce_seeds": 0}
        return read_config(OmegaConf.create({**state["config"], **alone}), choices)
    except ConfigError as error:
        raise CheckpointError(f"{path}: the settings inside it are refused: {error}") from error
    except (OmegaConfBaseException, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path}: the settings inside it cannot be read: {reason}") from error


def read_class_names(path: Path, state: dict[str, Any]) -> tuple[str, ...]:
    """The names of the classes inside a checkpoint.

    Raises:
        CheckpointError: they are no names.
    """
    names = state["class_names"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise CheckpointError(
            f"{path}: not a checkpoint of mnist-train: its class names are not names."
        )
    return tuple(names)


def rebuild_network(
    path: Path, weights: dict[str, Tensor], config: RunConfig, num_classes: int
) -> tuple[nn.Module, Transforms, int]:
    """Build the network with its weights, the fixed transforms, and the side of their output.

    Raises:
        CheckpointError: the weights do not fit the network that the settings describe.
    """
    most = MOST_NUMBERS + 2 * sum(tensor.numel() for tensor in weights.values())
    try:
        # Initial weights are drawn, and overwritten: the caller's random numbers stay as they are.
        with SizeLimit(most), torch.random.fork_rng(devices=[]):
            transforms = build_transforms(config.transforms.fixed, ())
            blank = torch.zeros(1, 1, IMAGE_SIZE, IMAGE_SIZE, dtype=torch.uint8)
            size = transforms.preprocess(blank).shape[-1]
            model = build_model(config.model, num_classes, size)
        model.load_state_dict(weights)
        for name, tensor in model.state_dict().items():
            if tensor.dtype != weights[name].dtype:
                raise TypeError(f"{name} is of the type {weights[name].dtype}")
    except ConfigError as error:
        raise CheckpointError(f"{path}: the network cannot be built anew: {error}") from error
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
        raise CheckpointError(
            f"{path}: its weights do not fit the network that its settings describe: {reason}"
        ) from error
    return model, transforms, size
