"""Ranges and choices of the options of shipped components.

No torch here: a value out of range is answered before it is imported.
"""

import math
from dataclasses import dataclass

from mnist_trainer.system.messages import nearest


@dataclass(frozen=True, slots=True)
class Range:
    """An interval ``low <= value <= high``; an open end excludes its bound."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def holds(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'greater than' if self.low_open else 'at least'} {self.low:g}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"in {left}{self.low:g}, {self.high:g}{right}"


POSITIVE = Range(low=0, low_open=True)
UNIT_INTERVAL = Range(low=0, high=1, high_open=True)

ACTIVATION_NAMES = (
    "identity", "sigmoid", "tanh", "relu", "leaky_relu", "gelu", "silu", "softplus", "erf",
    "algebraic", "softsign", "arctan", "gd",
)  # fmt: skip
"""The keys of ``models.formulas.activations.ACTIVATIONS``, which needs NumPy; a test compares."""

# Options of the shipped components: a wrong one is answered before torch is imported. A name
# without a group holds wherever the option occurs.
OPTION_RANGES: dict[str, Range] = {
    "lr": POSITIVE,
    "momentum": UNIT_INTERVAL,
    "dampening": UNIT_INTERVAL,
    "weight_decay": Range(low=0),
    "betas": UNIT_INTERVAL,
    "eps": POSITIVE,
    "rho": UNIT_INTERVAL,
    "alpha": UNIT_INTERVAL,
    "gamma": POSITIVE,
    "loss.gamma": Range(low=0),
    "epsilon": Range(low=-1),
    "epsilons": Range(low=-1),
    "terms": Range(low=1, high=100),
    "dropout": UNIT_INTERVAL,
    "label_smoothing": UNIT_INTERVAL,
    "hidden": Range(low=1),
    "channels": Range(low=1),
    "kernel_size": Range(low=1),
    "padding": Range(low=0),
    "pool": Range(low=1),
    "warmup_epochs": Range(low=0),
    "every_epochs": POSITIVE,
    "final_fraction": Range(low=0, high=1),
    "initial_divisor": POSITIVE,
    "final_divisor": POSITIVE,
    "std": POSITIVE,
    "degrees": Range(low=0, high=180),
    "translate": Range(low=0, high=28),
    "scale": POSITIVE,
    "shear": Range(low=0, high=89),
    "size": Range(low=1, high=28),
}
OPTION_CHOICES: dict[str, tuple[str, ...]] = {
    "activation": ACTIVATION_NAMES,
    "init": ("default", "matched"),
    "of": ("softmax", "logits"),
    "pooling": ("max", "average"),
    "shape": ("cosine", "linear"),
}


def option_problem(group: str, option: str, value: object) -> str | None:
    """What is wrong with the value of an option, by its range or choices; None where nothing is."""
    names = OPTION_CHOICES.get(option)
    if names and value not in names:
        meant = nearest(str(value), names)
        return f"must be one of: {', '.join(names)}" + (f".{meant}" if meant else "")
    allowed = OPTION_RANGES.get(f"{group}.{option}") or OPTION_RANGES.get(option)
    if allowed and value is not None:
        for number in value if isinstance(value, list) else [value]:
            if not isinstance(number, int | float) or isinstance(number, bool):
                return f"must be a number {allowed}"
            if not allowed.holds(number):
                return f"must be {allowed}"
    return None
