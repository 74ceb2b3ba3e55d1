"""Ranges and choices of the options of shipped components.

No torch here: a value out of range is answered before it is imported.
"""

import math
from dataclasses import dataclass

from mnist_trainer.system.messages import nearest

FLOAT32_MAX = 3e38
"""What float32 can hold, as a round number."""
INT64_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Range:
    """An interval ``low <= value <= high``; an open end excludes its bound.

    ``most`` is the largest number that can be computed with. It is told only to who exceeds it.
    """

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    most: float = FLOAT32_MAX

    def holds(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and value <= self._most(value)

    def problem(self, value: float) -> str | None:
        """What is wrong with a value; None where it lies inside."""
        if self.holds(value):
            return None
        most = self._most(value)
        return f"must be {f'at most {most:g}' if value > most else self}"

    def _most(self, value: float) -> float:
        """``most`` for a number of this type: a whole one is computed with in 64 bits."""
        return min(self.most, INT64_MAX) if isinstance(value, int) else self.most

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

CORRUPTION_NAMES = (
    "shot_noise", "impulse_noise", "glass_blur", "motion_blur", "shear", "scale", "rotate",
    "brightness", "translate", "stripe", "fog", "spatter", "dotted_line", "zigzag", "canny_edges",
)  # fmt: skip
"""The keys of ``data.corruptions.kinds.KINDS``, which needs torch; a test compares."""

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
    "temperature": POSITIVE,
    "hard_weight": Range(low=0, high=1),
    "terms": Range(low=1, high=100),
    "dropout": UNIT_INTERVAL,
    "label_smoothing": UNIT_INTERVAL,
    "hidden": Range(low=1, most=1e6),
    "channels": Range(low=1, most=1e5),
    "kernel_size": Range(low=1, most=1000),
    "padding": Range(low=0, most=1000),
    "pool": Range(low=1, most=1000),
    "warmup_epochs": Range(low=0),
    "every_epochs": POSITIVE,
    "final_fraction": Range(low=0, high=1),
    "initial_divisor": POSITIVE,
    "final_divisor": POSITIVE,
    "std": Range(low=0, low_open=True, most=1e6),
    "degrees": Range(low=0, high=180),
    "translate": Range(low=0, high=28),
    "scale": POSITIVE,
    "shear": Range(low=0, high=89),
    "size": Range(low=1, high=28),
    "thinner": Range(low=0, high=1),
    "thicker": Range(low=0, high=1),
    "count": Range(low=1, high=100),
    "probability": Range(low=0, high=1),
    "erased": Range(low=0, high=1),
    "width": Range(low=0, high=28),
    "length": Range(low=0, high=100),
    "tilt": Range(low=0, high=45),
    "specks": Range(low=0, high=1),
    "fading": Range(low=0, high=1),
    "blur": Range(low=0, high=1),
    "contrast": Range(low=1, high=10),
}
OPTION_CHOICES: dict[str, tuple[str, ...]] = {
    "activation": ACTIVATION_NAMES,
    "init": ("default", "matched"),
    "of": ("softmax", "logits"),
    "pooling": ("max", "average"),
    "shape": ("cosine", "linear"),
}
LISTED_CHOICES: dict[str, tuple[str | int, ...]] = {
    "kinds": CORRUPTION_NAMES,
    "strengths": (1, 2, 3, 4, 5),
}
"""Options that are a list of choices."""


def option_problem(group: str, option: str, value: object) -> str | None:
    """What is wrong with the value of an option, by its range or choices; None where nothing is."""
    if names := OPTION_CHOICES.get(option):
        return _choice_problem(names, value)
    if listed := LISTED_CHOICES.get(option):
        return _list_problem(listed, value)
    allowed = OPTION_RANGES.get(f"{group}.{option}") or OPTION_RANGES.get(option)
    if allowed and value is not None:
        for number in value if isinstance(value, list) else [value]:
            if not isinstance(number, int | float) or isinstance(number, bool):
                return f"must be a number {allowed}"
            if problem := allowed.problem(number):
                return problem
    return None


def _choice_problem(choices: tuple[str | int, ...], value: object) -> str | None:
    if value in choices and not isinstance(value, bool | float):
        return None
    names = [str(choice) for choice in choices]
    meant = nearest(str(value), names)
    return f"must be one of: {', '.join(names)}" + (f".{meant}" if meant else "")


def _list_problem(choices: tuple[str | int, ...], value: object) -> str | None:
    if not isinstance(value, list) or not value:
        return f"must be a list of one or more of: {', '.join(map(str, choices))}"
    return next(filter(None, (_choice_problem(choices, entry) for entry in value)), None)
