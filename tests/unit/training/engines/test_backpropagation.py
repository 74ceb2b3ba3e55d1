"""The passes through the layers against arithmetic by hand, in both namespaces."""

from typing import Any

import numpy as np
import pytest
import torch

from mnist_trainer.models.formulas.activations import ACTIVATIONS
from mnist_trainer.training.engines.backpropagation import Layer, backward, forward


def no_mask(*arguments: object) -> Any:
    raise AssertionError("nothing is dropped here")


def array(xp: Any, numbers: object) -> Any:
    return xp.asarray(numbers, dtype=xp.float64)


@pytest.mark.parametrize("xp", [torch, np], ids=["torch", "numpy"])
def test_two_layers_and_two_images_by_hand(xp: Any) -> None:
    """x = (1, 2) and (3, -1); W1 = ((1, 0), (-1, 1)), b1 = (0, 1), ReLU; W2 = (2, 3), no bias.

    First image:  z1 = (1, 2), a1 = (1, 2), z2 = 2 + 6 = 8. With dL/dz2 = 1: dL/da1 = (2, 3), both
    units are on. Second image: z1 = (3, -3), a1 = (3, 0), z2 = 6. With dL/dz2 = 10: dL/da1 = (20,
    30), the second unit is off: (20, 0). dW2 = 1 (1, 2) + 10 (3, 0) = (31, 2); dW1 = rows: 2 (1, 2)
    + 20 (3, -1) = (62, -16); 3 (1, 2) + 0 = (3, 6). db1 = (2 + 20, 3 + 0).
    """
    first = Layer(array(xp, [[1, 0], [-1, 1]]), array(xp, [0, 1]), ACTIVATIONS["relu"], 0.0)
    second = Layer(array(xp, [[2, 3]]), None, ACTIVATIONS["identity"], 0.0)
    x = array(xp, [[1, 2], [3, -1]])
    logits, caches = forward(xp, [first, second], x, no_mask)
    assert logits.tolist() == [[8], [6]]
    assert caches[1].a_before.tolist() == [[1, 2], [3, 0]]
    one, two = backward(xp, [first, second], caches, array(xp, [[1], [10]]))
    assert two.dW.tolist() == [[31, 2]]
    assert two.db.tolist() == [11]
    assert one.dW.tolist() == [[62, -16], [3, 6]]
    assert one.db.tolist() == [22, 3]


@pytest.mark.parametrize("xp", [torch, np], ids=["torch", "numpy"])
def test_a_dropped_unit_passes_nothing_on_and_nothing_back(xp: Any) -> None:
    """As above, the first image only; dropout with p = 1/2 drops the first hidden unit and doubles
    the second.

    a1 = (0, 4), z2 = 12; dL/da1 = (2, 3) * (0, 2) = (0, 6).
    """
    first = Layer(array(xp, [[1, 0], [-1, 1]]), array(xp, [0, 1]), ACTIVATIONS["relu"], 0.5)
    second = Layer(array(xp, [[2, 3]]), None, ACTIVATIONS["identity"], 0.0)
    asked = []

    def mask(shape: tuple[int, int], p: float) -> Any:
        asked.append((tuple(shape), p))
        return array(xp, [[0, 2]])

    logits, caches = forward(xp, [first, second], array(xp, [[1, 2]]), mask)
    one, two = backward(xp, [first, second], caches, array(xp, [[1]]))
    assert asked == [((1, 2), 0.5)]
    assert logits.tolist() == [[12]]
    assert two.dW.tolist() == [[0, 4]]
    assert one.dW.tolist() == [[0, 0], [6, 12]]
    assert one.db.tolist() == [0, 6]
