"""The mathematics of a network, written once for tensors and for NumPy's arrays.

Every function takes ``xp`` first, the namespace to compute in: the module ``torch`` or the module
``numpy``. Arrays come and go in that namespace and keep their precision. Nothing here uses
automatic differentiation: the derivatives are formulas, which the tests and
``mnist_trainer.gradient_check`` hold against autograd and against finite differences.
"""

from typing import Any

Array = Any
"""A tensor where ``xp`` is torch, an array where it is numpy."""

Namespace = Any
"""The module ``torch`` or the module ``numpy``."""
