"""Weight initialization: PyTorch's default, or Kaiming with the gain of the activation."""

import math

import torch
from torch import nn

from mnist_trainer.errors import ConfigError
from mnist_trainer.models.activations import formula_of
from mnist_trainer.models.formulas.activations import Activation

INITIALIZATIONS = ("default", "matched")


def initialize(model: nn.Module, init: str) -> None:
    """Initialize the weights of a new model.

    ``default`` keeps what PyTorch drew: uniform within ±1/√fan_in, whatever the activation.
    ``matched`` is Kaiming initialization for any activation: normal with standard deviation
    gain/√fan_in, biases 0, where the gain is that of the activation before the layer. Every z then
    has a mean square of about 1 at the start (He et al. 2015, section 2.2).

    Raises:
        ConfigError: ``init`` is neither of the two.
    """
    if init not in INITIALIZATIONS:
        raise ConfigError(f"model.init={init}: must be one of: {', '.join(INITIALIZATIONS)}")
    if init == "matched":
        kaiming_with_gain(model)


@torch.no_grad()
def kaiming_with_gain(model: nn.Module) -> None:
    """Draw the weights of all linear and convolutional layers, given in the order of the data.

    Pooling is ignored. The images count as standardized: their gain is 1.
    """
    input_gain = 1.0
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            fan_in = layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=input_gain / math.sqrt(fan_in))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            input_gain = 1.0
        elif (formula := formula_of(layer)) is not None:
            input_gain = gain(formula)


def gain(formula: Activation) -> float:
    """1 / √E[f(z)²] for a standard normal z, which scales the mean square of activations to 1.

    For ReLU this is √2 (He et al. 2015, eq. 10), for the identity 1 (LeCun et al. 1998, "Efficient
    BackProp", eq. 16).
    """
    z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    mean_square = torch.trapezoid(formula.value(torch, z) ** 2 * density, z)
    return 1 / math.sqrt(mean_square.item())
