"""What the engines without automatic differentiation have formulas for: models of linear layers,
activations, losses."""

from dataclasses import dataclass

from torch import nn

from mnist_trainer.config.engine_rules import LOSSES, MODELS
from mnist_trainer.errors import ConfigError
from mnist_trainer.models import activations, losses
from mnist_trainer.models.dense import FCN, Linear, TwoLayer
from mnist_trainer.models.formulas.activations import ACTIVATIONS, Activation
from mnist_trainer.models.formulas.losses import Loss


@dataclass
class DenseLayer:
    """A linear layer with what follows it."""

    linear: nn.Linear
    f: Activation
    dropout: float


def loss_formula(criterion: nn.Module) -> Loss:
    """The loss with its gradient.

    Raises:
        ConfigError: there is no formula for it.
    """
    formula = losses.formula_of(criterion)
    if formula is None:
        options = {
            name: value
            for name, value in vars(criterion).items()
            if not name.startswith("_") and name != "training"
        }
        told = ", ".join(f"{name}={value}" for name, value in options.items())
        raise no_formula(f"a loss {type(criterion).__name__}({told})", LOSSES)
    return formula


def dense_layers(model: nn.Module) -> list[DenseLayer]:
    """The layers of a fully connected network, in order; the last one has the identity for an
    activation.

    Raises:
        ConfigError: the model is another one, or has a layer without a formula.
    """
    # A class of the user's own may do anything, whatever it is made from.
    if not isinstance(model, FCN) or type(model) not in (FCN, TwoLayer, Linear):
        raise no_formula(f"a {type(model).__name__}", MODELS)
    layers: list[DenseLayer] = []
    for module in model.layers.children():
        if type(module) is nn.Flatten:
            continue
        if type(module) is nn.Linear:
            layers.append(DenseLayer(module, ACTIVATIONS["identity"], 0.0))
        elif type(module) is nn.Dropout:
            layers[-1].dropout = module.p
        elif formula := activations.formula_of(module):
            layers[-1].f = formula
        else:
            raise no_formula(f"a layer {type(module).__name__}", MODELS)
    return layers


def no_formula(what: str, known: dict[str, str]) -> ConfigError:
    """The refusal of something that an engine would have to differentiate by hand."""
    choices = ", ".join(known.values())
    return ConfigError(
        f"trainer.engine: no gradients were derived by hand for {what}. There are for: {choices}."
    )
