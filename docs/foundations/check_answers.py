"""Check answers to the exercises: ``python docs/foundations/check_answers.py answers.py``.

Exit code 0 where all are right. What is right is worked out here in another way than in answers.py:
by autograd, by a loop, or by hand.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Case = tuple[tuple[Any, ...], Any]
"""Arguments, and what the function returns of them."""


def randn(*shape: int) -> Tensor:
    """Random numbers of type float64, from the global stream, which ``main`` seeds."""
    return torch.randn(*shape, dtype=torch.float64)


def gradients(of: Callable[..., Tensor], *tensors: Tensor) -> tuple[Tensor, ...]:
    """Gradients of a sum by autograd."""
    leaves = [tensor.detach().requires_grad_() for tensor in tensors]
    return torch.autograd.grad(of(*leaves).sum(), leaves)


def count_right() -> Iterator[Case]:
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 4.0], [5.0, 1.0, 0.0]])
    yield (logits, torch.tensor([0, 1, 0])), 2
    yield (logits, torch.tensor([1, 0, 2])), 0


def centre_columns() -> Iterator[Case]:
    yield (torch.tensor([[1.0, 2.0], [3.0, 4.0]]),), torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    yield (torch.tensor([[1.0, 5.0, 0.0]]),), torch.zeros(1, 3)


def one_hot() -> Iterator[Case]:
    labels = torch.tensor([2, 0, 2, 1])
    yield (labels, 4), nn.functional.one_hot(labels, 4).float()


def pairwise_distances() -> Iterator[Case]:
    a, b = randn(4, 3), randn(5, 3)
    yield (a, b), torch.stack([torch.stack([(p - q).norm() for q in b]) for p in a])


def derivative() -> Iterator[Case]:
    yield (lambda x: x**3, 2.0), 12.0
    yield (lambda x: x.sin() * x, 0.5), 0.9182166498250892  # sin(0.5) + 0.5 cos(0.5)


def descend() -> Iterator[Case]:
    yield (lambda x: x * x, 3.0, 0.1, 1), 2.4
    yield (lambda x: (x - 2) ** 2, 0.0, 0.25, 3), 1.75


def gradient_in_portions() -> Iterator[Case]:
    w, portions = randn(3), [randn(2, 3), randn(4, 3)]
    expected = gradients(lambda v: torch.cat(portions).matmul(v).square(), w)[0]
    yield (lambda v, part: part.matmul(v).square().sum(), w, portions), expected


def backward_of_product() -> Iterator[Case]:
    a, b, dz = randn(2, 3), randn(2, 3), randn(2, 3)
    yield (a, b, dz), gradients(lambda p, q: p * q * dz, a, b)


def backward_of_linear() -> Iterator[Case]:
    x, weight, bias, dz = randn(4, 3), randn(2, 3), randn(2), randn(4, 2)
    expected = gradients(lambda p, q, r: (p @ q.T + r) * dz, x, weight, bias)
    yield (x, weight, dz), expected


def relu_backward() -> Iterator[Case]:
    yield (torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([5.0, 6.0, 7.0])), torch.tensor([0.0, 0, 7])


def two_layer_gradients() -> Iterator[Case]:
    x, y, first, second = randn(5, 4), randn(5, 2), randn(4, 3), randn(3, 2)
    expected = gradients(lambda p, q: (torch.relu(x @ p) @ q - y).square(), first, second)
    yield (x, y, first, second), expected


EXERCISES: dict[str, Callable[[], Iterator[Case]]] = {
    "1a": count_right, "1b": centre_columns, "1c": one_hot, "1d": pairwise_distances,
    "2a": derivative, "2b": descend, "2c": gradient_in_portions,
    "3a": backward_of_product, "3b": backward_of_linear,
    "5a": relu_backward, "5b": two_layer_gradients,
}  # fmt: skip


def shown(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Tensor):
        return str([round(each, 4) if isinstance(each, float) else each for each in value.tolist()])
    if isinstance(value, tuple):
        return f"({', '.join(map(shown, value))})"
    return "a function" if callable(value) else repr(value)


def is_equal(answer: Any, expected: Any) -> bool:
    """Whether an answer has the type, the shape and, up to rounding, the numbers expected."""
    if isinstance(expected, tuple):
        return (
            isinstance(answer, tuple)
            and len(answer) == len(expected)
            and all(map(is_equal, answer, expected))
        )
    if isinstance(expected, Tensor):
        return (
            isinstance(answer, Tensor)
            and (answer.shape, answer.dtype) == (expected.shape, expected.dtype)
            and torch.allclose(answer, expected, atol=1e-6)
        )
    return type(answer) is type(expected) and abs(answer - expected) < 1e-6


def check(function: Callable[..., Any], cases: Iterator[Case]) -> str:
    """ "right", or what is wrong."""
    for arguments, expected in cases:
        typed = f"{function.__name__}({', '.join(map(shown, arguments))})"
        try:
            answer = function(*arguments)
        except Exception as error:
            return f"wrong: {typed} raises {type(error).__name__}: {error}"
        if not is_equal(answer, expected):
            return f"wrong: {typed} should be {shown(expected)}, and is {shown(answer)}"
    return "right"


def load(path: Path) -> object:
    """The file of answers, as a module."""
    spec = importlib.util.spec_from_file_location("answers_to_check", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise SystemExit(f"{path}: no such Python file. Write your answers into one, and name it.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    """Check the file that is named on the command line."""
    parser = argparse.ArgumentParser(description="Check answers to docs/foundations/exercises.md.")
    parser.add_argument("answers", type=Path, help="a Python file with the functions")
    path = parser.parse_args().answers
    answers, all_right = load(path), True
    for number, cases in EXERCISES.items():
        torch.manual_seed(0)
        function = getattr(answers, cases.__name__, None)
        verdict = (
            f"no function {cases.__name__} in {path.name}"
            if function is None
            else check(function, cases())
        )
        all_right &= verdict == "right"
        print(f"{number}  {verdict}")
    return 0 if all_right else 1


if __name__ == "__main__":
    sys.exit(main())
