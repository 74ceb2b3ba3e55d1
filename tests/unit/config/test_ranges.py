"""The ranges and choices of options agree with the code that takes them."""

import pytest

from mnist_trainer.config.ranges import ACTIVATION_NAMES, POSITIVE, UNIT_INTERVAL, Range
from mnist_trainer.models import activations
from mnist_trainer.models.formulas.activations import ACTIVATIONS


def test_activation_names_are_the_keys_of_the_tables() -> None:
    assert set(ACTIVATION_NAMES) == set(ACTIVATIONS) == set(activations.ACTIVATIONS)
    assert len(ACTIVATION_NAMES) == len(ACTIVATIONS)


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (POSITIVE, (1e-9, 3), (0, -1), "greater than 0"),
        (UNIT_INTERVAL, (0, 0.9), (1, -0.1), "in [0, 1)"),
        (Range(low=1), (1, 5), (0.9,), "at least 1"),
        (Range(low=1, high=28), (1, 28), (0, 29), "in [1, 28]"),
    ],
)
def test_a_range_holds_its_closed_ends_only(
    allowed: Range, inside: tuple[float, ...], outside: tuple[float, ...], text: str
) -> None:
    assert all(map(allowed.holds, inside))
    assert not any(map(allowed.holds, outside))
    assert not allowed.holds(float("nan"))
    assert str(allowed) == text
