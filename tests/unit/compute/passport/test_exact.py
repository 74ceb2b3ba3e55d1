"""Products of whole numbers: exact, and one flipped element is found."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mnist_trainer.compute.passport.exact import (
    IMAGES,
    LARGEST,
    MOST_TERMS,
    SHAPES,
    check_products,
)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_all_products_are_exact(precision: str) -> None:
    rows = check_products("cpu", precision)
    assert [row for row in rows if row["wrong"]] == []
    assert {"matmul", "addmm", "linear"} <= {row["operation"] for row in rows}


def test_no_sum_is_too_long_for_its_type() -> None:
    # The mantissas have 24, 11 and 8 bits; a bias may be added.
    for precision, bits in (("fp32", 24), ("fp16", 11), ("bf16", 8)):
        terms = min(MOST_TERMS[precision], max(shape[1] for shape in SHAPES))
        assert terms * LARGEST[precision] ** 2 + LARGEST[precision] <= 2**bits
    most = LARGEST["fp32"]
    # Gradients of the weight sum over rows, those of the input over columns.
    assert max(max(shape) for shape in SHAPES) * most**2 < 2**24
    assert all(count * side**2 * most < 2**24 for count, _, side, _, _ in IMAGES)


def flipped(original: Any, change: float) -> Any:
    def patched(*args: Any, **options: Any) -> Tensor:
        output: Tensor = original(*args, **options)
        output = output.clone()
        output.view(-1)[output.numel() // 2] += change
        return output

    return patched


def test_one_changed_element_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    patched = ((torch, "matmul"), (torch, "addmm"), (F, "linear"), (F, "conv2d"))
    for module, name in patched:
        monkeypatch.setattr(module, name, flipped(getattr(module, name), 0.5))
    wrong = [row for row in check_products("cpu", "fp32") if row["wrong"]]
    assert {row["operation"] for row in wrong} == {name for _, name in patched}
    for row in wrong:
        assert row["wrong"] == 1
        assert float(row["first"]["found"]) == row["first"]["expected"] + 0.5
