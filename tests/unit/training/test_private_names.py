"""Private names of PyTorch that the package relies on: a version without them fails here first."""

import pytest
import torch
from torch.optim import Optimizer


def test_the_kernel_that_checks_gradients_for_infinity() -> None:
    """Used in training/finite.py: it writes 1 where a tensor is not finite, and multiplies by 1."""
    kernel = getattr(torch, "_amp_foreach_non_finite_check_and_unscale_", None)
    assert kernel is not None, "training/finite.py needs another check of non-finite gradients"
    found, scale, tensor = torch.zeros(()), torch.ones(()), torch.ones(3)
    kernel([tensor], found, scale)
    assert (found.item(), tensor.tolist()) == (0, [1, 1, 1])
    kernel([tensor, torch.tensor([1.0, torch.inf])], found, scale)
    assert found.item() == 1
    kernel([tensor], found, scale)
    assert found.item() == 1, "the flag must stay set"


@pytest.mark.parametrize("name", ["zero_grad", "add_param_group"])
def test_the_wrapper_that_imports_the_compiler(name: str) -> None:
    """Used in training/optim/without_compiler.py; without it a start takes twice as long."""
    wrapper = getattr(Optimizer, name)
    assert hasattr(wrapper, "__wrapped__"), (
        "training/optim/without_compiler.py finds nothing to skip in this version of PyTorch"
    )


def test_the_version_of_a_tensor() -> None:
    """Used in data/transforms.py: it counts the writes to a tensor."""
    tensor = torch.zeros(1)
    before = getattr(tensor, "_version", None)
    assert before is not None, "data/transforms.py cannot see writes to cached images"
    tensor.add_(1)
    assert tensor._version == before + 1
