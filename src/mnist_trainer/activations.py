"""The activation functions that every model knows by name."""

from collections.abc import Callable

from torch import nn

from mnist_trainer.errors import ConfigError

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
}


def activation(name: str) -> nn.Module:
    """A new module of the named activation.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in ACTIVATIONS:
        raise ConfigError(f"activation={name}: valid are {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()
