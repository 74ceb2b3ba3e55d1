"""The mathematics of a network, written once for PyTorch tensors and NumPy arrays.

Every function takes ``xp`` first, the namespace to compute in: the module ``torch`` or the module
``numpy``. Arguments and results are arrays of that namespace. Nothing here uses
automatic differentiation: the derivatives are formulas, which the tests and
``mnist_trainer.gradient_check`` compare with autograd and with finite differences.
"""

from typing import Any

Array = Any
"""A tensor where ``xp`` is torch, an array where it is numpy."""

Namespace = Any
"""The module ``torch`` or the module ``numpy``."""
